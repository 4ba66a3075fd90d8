"""Facts about models: dated prices, cutoffs, names found exactly, and bounds on cost that hold."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.models import (
    DEFAULT_MODEL,
    HIDDEN_TOKENS,
    THINKING,
    ModelFacts,
    ModelTable,
    ModelTableError,
    Price,
    cost_usd,
    load_models,
    suggest,
    worst_case_usd,
)
from domain.inference import Usage
from domain.time import iso, parse_ts

NOW = parse_ts("2026-11-22")
TABLE = load_models()
RATES = "output = 1, cache_read = 1, cache_write_5m = 1, cache_write_1h = 1"
PRICES = [price for facts in TABLE.models.values() for price in facts.prices]
TOKENS = st.integers(0, 300_000)


def facts_of(name: str, table: ModelTable = TABLE) -> ModelFacts:
    """A model that must be known."""
    facts = table.find(name)
    assert facts is not None
    return facts


def price_of(name: str, table: ModelTable = TABLE) -> Price:
    """What a model costs now."""
    price = facts_of(name, table).price_at(NOW)
    assert price is not None
    return price


def test_the_default_model_is_known_and_has_a_price() -> None:
    """The product must be able to say what its own default costs and knows."""
    facts = facts_of(DEFAULT_MODEL.removeprefix("anthropic:"))

    assert facts.price_at(NOW) is not None
    assert facts.knowledge_ends_ts is not None
    assert facts.takes_sampling
    assert facts.thinking == ("disabled", "adaptive")


def test_every_model_has_a_price_by_the_day_the_facts_were_read() -> None:
    """A model without one has no business in the table."""
    assert [facts.id for facts in TABLE.models.values() if facts.price_at(NOW) is None] == []


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("claude-sonnet-4-6", "claude-sonnet-4-6"),
        ("claude-sonnet-5", "claude-sonnet-5"),
        ("anthropic/claude-sonnet-4.6", "claude-sonnet-4-6"),
        ("anthropic/claude-sonnet-5.5", "claude-sonnet-5-5"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("anthropic/claude-haiku-4.5@20251001", "claude-haiku-4-5"),
        ("claude-sonnet-5-6", None),
        ("claude-sonnet", None),
        ("claude-sonnet-4-6-fast", None),
        ("claude-sonnet-4-6-2026", None),
        ("other/claude-sonnet-4.6", None),
        ("", None),
    ],
)
def test_a_name_finds_its_model_and_no_other(name: str, known: str | None) -> None:
    """A gateway's slug and a dated id are the model; a name that begins alike is another."""
    facts = TABLE.find(name)

    assert (facts.id if facts else None) == known


def test_a_price_holds_from_its_day_on() -> None:
    """Reading Sonnet 5.5's cache became cheaper on 7 October 2026, and before its release it had no price."""
    facts = facts_of("claude-sonnet-5-5")

    read = {
        day: price.cache_read if (price := facts.price_at(parse_ts(day))) else None
        for day in ("2026-09-27T23:59:59Z", "2026-09-28", "2026-10-06T23:59:59Z", "2026-10-07")
    }
    assert list(read.values()) == [None, Decimal("0.20"), Decimal("0.20"), Decimal("0.10")]


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("claude-sonnet-4-6", "2026-02-01T00:00:00Z"),
        ("claude-sonnet-4-5", "2025-08-01T00:00:00Z"),
        ("claude-sonnet-5-5", "2026-09-28T00:00:00Z"),
        ("claude-fable-5-2", None),
    ],
)
def test_knowledge_ends_with_the_cutoffs_month_or_with_the_release(name: str, ends: str | None) -> None:
    """A month of training is over at its end; an unknown cutoff is at most the release; neither is no answer."""
    found = facts_of(name).knowledge_ends_ts

    assert (None if found is None else iso(found)) == ends


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("claude-sonnet-4-6", {"off": "disabled", "adaptive": "adaptive", "between_tools": None}),
        (
            "claude-sonnet-5-5",
            {"off": "between_tools", "adaptive": "adaptive", "between_tools": "between_tools"},
        ),
        ("claude-opus-5-5", {"off": None, "adaptive": "adaptive", "between_tools": None}),
        ("claude-opus-5", {"off": "disabled", "adaptive": "adaptive", "between_tools": "between_tools"}),
    ],
)
def test_thinking_is_said_in_the_words_that_a_model_takes(name: str, types: dict[str, str | None]) -> None:
    """Off is as little as it can; of the last one nothing is known, so nothing is ruled out."""
    assert {wanted: facts_of(name).thinking_type(wanted) for wanted in THINKING} == types


def test_a_call_costs_its_tokens_at_their_rates() -> None:
    """Worked by hand: 5,000 read from the cache, 1,000 fresh, 400 out, on Sonnet 5.5; and each kind on Sonnet 4.6."""
    usage = Usage(input=1_000, output=400, cache_read=5_000)
    assert cost_usd(price_of("claude-sonnet-5-5"), usage) == Decimal("0.0065")

    each = Usage(input=1, output=1, cache_read=1, cache_write_5m=1, cache_write_1h=1)
    assert cost_usd(price_of("claude-sonnet-4-6"), each) == Decimal("0.00002805")


def test_a_long_prompt_makes_the_whole_call_dearer() -> None:
    """Haiku 5.5 costs five times as much above 100,000 prompt tokens, its output too."""
    price = price_of("claude-haiku-5-5")

    assert cost_usd(price, Usage(input=60_000, cache_read=40_000, output=1_000)) == Decimal("0.0069")
    assert cost_usd(price, Usage(input=60_001, cache_read=40_000, output=1_000)) == Decimal("0.0345005")


KINDS_OF_PROMPT = ("input", "cache_read", "cache_write_5m", "cache_write_1h")


@pytest.mark.parametrize("prompt", [HIDDEN_TOKENS, 100_000, 100_001, 900_000])
def test_the_dearest_call_costs_just_its_worst_case(prompt: int) -> None:
    """Every byte a token, as many hidden ones as there may be, all written to the dearer cache: the bound is tight."""
    usage = Usage(output=4_000, cache_write_1h=prompt)

    for price in PRICES:
        assert cost_usd(price, usage) == worst_case_usd(price, prompt - HIDDEN_TOKENS, 4_000)


@given(
    price=st.sampled_from(PRICES),
    prompt=st.fixed_dictionaries(dict.fromkeys(KINDS_OF_PROMPT, TOKENS)),
    output=TOKENS,
    spare_bytes=st.integers(0, 1_000_000),
    spare_output=TOKENS,
)
def test_no_call_costs_more_than_its_worst_case(
    price: Price, prompt: dict[str, int], output: int, spare_bytes: int, spare_output: int
) -> None:
    """Whatever is cached, as long as a token is a byte or more, hidden ones aside, and output keeps to its bound."""
    usage = Usage(output=output, **prompt)
    prompt_bytes = max(0, usage.prompt - HIDDEN_TOKENS)
    cost = cost_usd(price, usage)

    assert cost <= worst_case_usd(price, prompt_bytes, output)
    assert cost <= worst_case_usd(price, prompt_bytes + spare_bytes, output + spare_output)


@given(
    price=st.sampled_from(PRICES),
    usages=st.lists(st.builds(Usage, *[st.integers(0, 10**7)] * 5), max_size=50),
)
def test_costs_add_up_exactly(price: Price, usages: list[Usage]) -> None:
    """A cost is never rounded, so that in whole millionths of a millionth of a dollar nothing is lost."""
    picos = sum(
        int(getattr(usage, kind) * getattr(price.rate_for(usage.prompt), kind) * 10**6)
        for usage in usages
        for kind in Usage.__struct_fields__
    )

    assert sum((cost_usd(price, usage) for usage in usages), Decimal(0)) == Decimal(picos).scaleb(-12)


def overridden(folder: Path, text: str) -> ModelTable:
    """The table with a file of facts over it."""
    path = folder / "models.toml"
    path.write_text(text)
    return load_models(path)


def test_a_file_replaces_what_it_says_and_leaves_the_rest(tmp_path: Path) -> None:
    """Here a cutoff within the data and a price; what the file does not say stays, also under a gateway's name."""
    table = overridden(
        tmp_path,
        f"""
        [models.claude-sonnet-4-6]
        training_cutoff = 2025-03-15
        [models."anthropic/claude-sonnet-5"]
        prices = [{{valid_from = 2026-07-01, input = 4, {RATES}}}]
        """,
    )
    slug = facts_of("anthropic/claude-sonnet-5", table)

    assert iso(facts_of("claude-sonnet-4-6", table).knowledge_ends_ts or 0) == "2025-03-16T00:00:00Z"
    assert price_of("claude-sonnet-4-6", table) == price_of("claude-sonnet-4-6")
    assert slug.training_cutoff == "2026-01"
    assert price_of(slug.id, table).input == 4
    assert price_of("claude-sonnet-5", table) == price_of("claude-sonnet-5")


def test_a_file_keeps_the_tiers_of_a_price_it_does_not_touch(tmp_path: Path) -> None:
    """Facts that are laid over others are checked together with them."""
    table = overridden(tmp_path, "[models.claude-haiku-5-5]\nmax_output_tokens = 1000\n")

    assert facts_of("claude-haiku-5-5", table).max_output_tokens == 1000
    assert price_of("claude-haiku-5-5", table) == price_of("claude-haiku-5-5")


def test_a_file_adds_models_that_cost_nothing_or_of_which_little_is_known(tmp_path: Path) -> None:
    """A model of one's own machine is free, which is not the same as a price that nobody knows."""
    free = "output = 0, cache_read = 0, cache_write_5m = 0, cache_write_1h = 0"
    table = overridden(
        tmp_path,
        f"""
        [models."qwen3:30b"]
        prices = [{{valid_from = 2026-01-01, input = 0, {free}}}]
        [models.mystery]
        released = "2026-05"
        """,
    )
    mystery = facts_of("mystery", table)

    assert cost_usd(price_of("qwen3:30b", table), Usage(10**6, 10**6)) == 0
    assert mystery.price_at(NOW) is None
    assert iso(mystery.knowledge_ends_ts or 0) == "2026-06-01T00:00:00Z"


def priced(rate: str) -> str:
    """A price of a model "x", as a TOML table."""
    rest = RATES.replace(", ", "\n")
    return f"[[models.x.prices]]\nvalid_from = 2026-01-01\n{rest}\n{rate}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[models", "is not TOML: "),
        ("[model.x]", 'has model; expected tables [models."NAME"] and nothing else'),
        ("models = 1", 'has models; expected tables [models."NAME"] and nothing else'),
        ("[models]\nx = 1", 'has models; expected tables [models."NAME"] and nothing else'),
        ("[models.x]\ncutoff = '2025-01'", 'models."x": Object contains unknown field `cutoff`'),
        ("[models.x]\nid = 'y'", "models.\"x\": id is the entry's name and can't be given"),
        (
            "[models.x]\ntraining_cutoff = 2025",
            'models."x": Expected `str | null`, got `int` - at `$.training_cutoff`',
        ),
        ("[models.x]\ntraining_cutoff = '2025-13'", 'models."x": month must be in 1..12'),
        ("[models.x]\ntraining_cutoff = 2025-01-01T00:00:00Z", 'models."x": Expected `str | null`'),
        ("[models.x]\nmax_output_tokens = 0", 'models."x": Expected `int` >= 1 - at `$.max_output_tokens`'),
        (
            "[models.x]\nthinking = ['hard']",
            "models.\"x\": thinking is ['hard']; expected some of disabled, adaptive",
        ),
        ("[models.x]\nefforts = ['huge']", "models.\"x\": efforts is ['huge']; expected some of low, medium"),
        (priced(""), "missing required field `input`"),
        (priced("input = -1"), "input is -1; expected 0 to 10000 USD per million tokens"),
        (priced("input = nan"), "input is NaN; expected 0 to"),
        (priced("input = 1e-7"), "to 6 decimals"),
        (priced("input = 1\nabove_tokens = 5"), "above_tokens and above must be given together"),
        (priced("input = 1") + priced("input = 1"), "one for each day"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    """The line names the file and the entry, and says what was expected."""
    with pytest.raises(ModelTableError) as caught:
        overridden(tmp_path, text)

    assert str(caught.value).startswith(str(tmp_path / "models.toml"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_or_no_text_is_told(tmp_path: Path) -> None:
    """Also a folder, and a file too large to be a table."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"#" * 1_000_001)
    expected = {
        "absent": "can't be read: No such file",
        ".": "can't be read: Is a directory",
        "binary": "is not text in UTF-8",
        "large": "is larger than 1000000 bytes",
    }

    for name, message in expected.items():
        with pytest.raises(ModelTableError, match=message):
            load_models(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("claude-sonet-4-6", "claude-sonnet-4-6"),
        ("claude-4-6-sonnet", "claude-sonnet-4-6"),
        ("Claude-Haiku-4.5", "claude-haiku-4-5"),
        ("gpt-9", None),
    ],
)
def test_a_mistyped_name_gets_a_suggestion(name: str, meant: str | None) -> None:
    """The nearest known model, or none where nothing is near."""
    assert suggest(name) == meant
