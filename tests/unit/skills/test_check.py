"""A Skill that reads well is checked for what can't work and for what may not be meant."""

from pathlib import Path

import pytest

from skills.catalogue import BASELINES, TRADING_TOOLS
from skills.check import Finding, check, load
from skills.problems import SkillError
from skills.skill_md import read
from tests.unit.skills.samples import SKILL, with_line, with_risk

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "skills").glob("*/SKILL.md"))

AS_MODEL = SKILL.replace("baseline:sma-cross", "anthropic:claude-sonnet-4-6").replace(
    "model_params: {fast: 20, slow: 50, size: 0.1}\n", ""
)


def findings(text: str, level: str) -> list[str]:
    """What the check finds of a level, as text."""
    return [str(finding) for finding in check(read(text)) if finding.level == level]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_every_example_is_free_of_remarks_and_named_like_its_folder(path: Path) -> None:
    """What people copy from is right."""
    skill, remarks = load(path.read_bytes(), where=str(path))

    assert remarks == []
    assert skill.name == path.parent.name


def test_there_is_an_example_of_every_baseline() -> None:
    """Each baseline that ships can be run from an example of its name."""
    named = {path.parent.name for path in EXAMPLES if read(path.read_text()).baseline == path.parent.name}
    assert named == set(BASELINES)


def test_a_good_skill_has_nothing_to_remark() -> None:
    """Neither the sample of a baseline nor that of a model is doubted."""
    assert check(read(SKILL)) == []
    assert check(read(AS_MODEL)) == []


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        (
            "baseline:sma-cross",
            "baseline:sma-crss",
            "model is baseline:sma-crss, which does not exist; did you mean",
        ),
        (
            "baseline:sma-cross",
            "baseline:zzz",
            "model is baseline:zzz, which does not exist; there are hold, buy-",
        ),
        (
            "[get_bars, ",
            "[get_bar, get_bars, ",
            "tools has get_bar, which is not a tool; did you mean get_bars?",
        ),
        (
            "[get_bars, ",
            "[xyz, get_bars, ",
            "tools has xyz, which is not a tool; the tools are get_bars, get_por",
        ),
        ("[get_bars, ", "[wx.now, get_bars, ", "tools has wx.now, but mcp does not list wx; add it there"),
        ("[get_bars, ", "[", "tools lacks get_bars, which baseline:sma-cross needs; add it"),
        (", propose_order]", "]", "tools lacks propose_order, which baseline:sma-cross needs; add it"),
        ("fast: 20", "fast: 50", "model_params.fast is 50; it must be below slow, which is 50"),
        ("fast: 20", "fast: 20.5", "model_params.fast is '20.5'; it must be a whole number above zero"),
        ("fast: 20", "fast: true", "model_params.fast is 'True'; it must be a whole number above zero"),
        ("fast: 20", "fast: 0", "model_params.fast is '0'; it must be a whole number above zero"),
        ("fast: 20, ", "", "model_params lacks fast, a whole number above zero; add it"),
        ("size: 0.1", "size: -0.1", "model_params.size is '-0.1'; it must be a number above zero"),
        ("size: 0.1", 'size: "0.1"', "model_params.size is '0.1'; it must be a number above zero"),
        (
            "size: 0.1",
            "size: 1, sise: 2",
            "model_params.sise is not a parameter of baseline:sma-cross; did you mean",
        ),
        (
            "size: 0.1",
            "size: 1, q: 2",
            "model_params.q is not a parameter of baseline:sma-cross; it takes fast, slow",
        ),
        ("slow: 50", "slow: 201", "model_params.slow is 201, but market.bars shows 200; raise market.bars"),
    ],
)
def test_what_can_not_work_is_an_error(before: str, after: str, error: str) -> None:
    """Each error says what was found and what to do."""
    found = findings(with_line(before, after), "error")

    assert len(found) == 1
    assert found[0].startswith(error)


def test_a_model_without_a_prompt_is_an_error() -> None:
    """A language model needs to be told what to do; a baseline does not."""
    assert findings(AS_MODEL.replace("You trade.\n", ""), "error") == [
        "prompt is empty; write what the model should do below the front matter"
    ]
    assert check(read(SKILL.replace("You trade.\n", ""))) == []


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            with_line("schedule: 1h", "schedule: 15m"),
            "schedule ticks every 15m, but a bar closes only every 1h",
        ),
        (
            with_line("schedule: 1h", "schedule: 0,5 * * * *"),
            "schedule ticks every 5m, but a bar closes only every",
        ),
        (
            with_risk("max_drawdown_pct: null"),
            "risk.max_drawdown_pct is off; nothing halts the account at such a loss",
        ),
        (with_line("daily_loss_pct: 5", "daily_loss_pct: null"), "risk.daily_loss_pct is off; nothing halts"),
        (
            with_risk("max_slippage_bps: 501"),
            "risk.max_slippage_bps is 501, wider than price_band_pct 5 %; market orders are bounded by the band",
        ),
        (
            with_risk("max_position_usd: 500\n  max_gross_usd: 400"),
            "risk.max_position_usd never binds, because max_",
        ),
        (
            with_risk("require_stop: true"),
            "risk.require_stop refuses every order of baseline:sma-cross, which sets no",
        ),
        (
            with_line("symbols: [BTC]", "symbols: [BTC, ETH, SOL, XRP, DOGE, TIA]"),
            "risk.max_actions_per_tick is 5, but baseline:sma-cross trades 6 symbols in a tick; the last may never",
        ),
        (
            with_line("on_stop: keep", "mcp: [wx]"),
            "mcp lists wx, but tools has none of its tools; add wx.tool",
        ),
        (
            AS_MODEL.replace(", propose_order]", "]"),
            "tools lacks propose_order, so it never trades; add it if it",
        ),
    ],
)
def test_what_may_not_be_meant_is_a_warning(text: str, warning: str) -> None:
    """A doubt is told, and stops nothing."""
    found = findings(text, "warning")

    assert len(found) == 1
    assert found[0].startswith(warning)
    assert load(text)[0] == read(text)


def asking(model: str, params: str = "{}") -> str:
    """The sample of a model, with another model and its parameters."""
    line = f"model: anthropic:{model}\nmodel_params: {params}"
    return AS_MODEL.replace("model: anthropic:claude-sonnet-4-6", line)


@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("claude-sonnet-4-6", '{max_tokens: 256, effort: max, thinking: "off", temperature: 0}'),
        ("claude-sonnet-4-6", "{max_tokens: 128000, thinking: adaptive, temperature: 0.5}"),
        ("anthropic/claude-sonnet-5.5", "{effort: xhigh, thinking: adaptive}"),
        ("claude-sonnet-5-5", '{effort: high, thinking: "off"}'),
        ("claude-opus-5", '{effort: xhigh, thinking: "off", max_tokens: 1000000}'),
        ("claude-haiku-4-5-20251001", "{max_tokens: 64000, temperature: 1}"),
    ],
)
def test_a_model_may_have_the_parameters_it_takes(model: str, params: str) -> None:
    """At their bounds, and whatever is not known to be refused."""
    assert check(read(asking(model, params))) == []


@pytest.mark.parametrize(
    ("model", "params", "error"),
    [
        (
            "claude-sonnet-4-6",
            "{max_token: 300}",
            ".max_token is not a parameter of a language model; did you mean",
        ),
        (
            "claude-sonnet-4-6",
            "{seed: 1}",
            ".seed is not a parameter of a language model; there are max_tokens, eff",
        ),
        (
            "claude-sonnet-4-6",
            "{max_tokens: 255}",
            ".max_tokens is '255'; it must be a whole number from 256 to",
        ),
        (
            "claude-sonnet-4-6",
            "{max_tokens: 128001}",
            ".max_tokens is '128001'; it must be a whole number from 256",
        ),
        (
            "claude-sonnet-4-6",
            "{max_tokens: 300.5}",
            ".max_tokens is '300.5'; it must be a whole number from 256 to",
        ),
        (
            "claude-sonnet-4-6",
            "{max_tokens: true}",
            ".max_tokens is 'True'; it must be a whole number from 256 to",
        ),
        ("claude-opus-5", "{max_tokens: 1}", ".max_tokens is '1'; it must be a whole number of at least 256"),
        (
            "claude-sonnet-4-6",
            "{temperature: 1.01}",
            ".temperature is '1.01'; it must be a number from 0 to 1",
        ),
        (
            "claude-sonnet-4-6",
            "{temperature: -0.1}",
            ".temperature is '-0.1'; it must be a number from 0 to 1",
        ),
        ("claude-sonnet-4-6", '{temperature: "0"}', ".temperature is '0'; it must be a number from 0 to 1"),
        (
            "claude-sonnet-5-5",
            "{temperature: 0}",
            ".temperature is not taken by claude-sonnet-5-5; remove it",
        ),
        (
            "claude-sonnet-4-6",
            "{thinking: adaptiv}",
            ".thinking is 'adaptiv'; it must be one of \"off\", adaptive",
        ),
        ("claude-sonnet-4-6", "{thinking: between_tools}", ".thinking is 'between_tools'; it must be one of"),
        (
            "claude-opus-5-5",
            '{thinking: "off"}',
            ".thinking is 'off'; it must be one of adaptive with claude-opus-5-5",
        ),
        ("claude-sonnet-4-6", "{thinking: [adaptive]}", ".thinking is \"('adaptive',)\"; "),
        (
            "claude-sonnet-4-6",
            "{effort: xhigh}",
            ".effort is 'xhigh'; it must be one of low, medium, high, max with",
        ),
        (
            "claude-sonnet-5-5",
            "{effort: max, thinking: between_tools}",
            ".effort is 'max'; it must be one of low, medium, high with claude-sonnet-5-5 and this thinking",
        ),
        ("claude-haiku-4-5", "{effort: low}", ".effort is not taken by claude-haiku-4-5; remove it"),
    ],
)
def test_a_parameter_that_a_model_does_not_take_is_an_error(model: str, params: str, error: str) -> None:
    """A call with it would be refused, once for every tick."""
    found = findings(asking(model, params), "error")

    assert len(found) == 1
    assert found[0].startswith(f"model_params{error}")


def test_a_provider_that_is_not_known_is_an_error() -> None:
    """Only one API is spoken; what speaks it is behind a base URL."""
    assert findings(AS_MODEL.replace("anthropic:claude", "openai:claude"), "error") == [
        "model is openai:claude-sonnet-4-6, whose provider is not known; "
        "write anthropic:NAME for a language model, also behind a gateway, or baseline:NAME"
    ]


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("claude-sonet-4-6", "did you mean anthropic:claude-sonnet-4-6?"),
        ("qwen3:30b", "is it spelt as its provider spells it?"),
    ],
)
def test_a_model_of_which_nothing_is_known_is_a_warning(model: str, hint: str) -> None:
    """It may be one of a gateway's own; it may be a typing error."""
    assert findings(asking(model, "{effort: max}"), "error") == []
    assert findings(asking(model, "{effort: max}"), "warning") == [
        f"model is anthropic:{model}, which is not in the model table: its price and cutoff are unknown; {hint}"
    ]


def test_a_temperature_that_may_be_refused_is_a_warning() -> None:
    """The vendor's pages do not say it of every model."""
    assert findings(asking("claude-opus-5", "{temperature: 0}"), "warning") == [
        "model_params.temperature may be refused; it is not known whether claude-opus-5 takes it"
    ]


def test_a_model_may_be_shown_news_and_search_them() -> None:
    """There is nothing to doubt about it."""
    text = AS_MODEL.replace("interval: 1h}", "interval: 1h, news: 20}").replace(
        "[get_bars", "[search_news, get_bars"
    )

    assert check(read(text)) == []


@pytest.mark.parametrize("edge", ["max_slippage_bps: 500", "max_position_usd: 400\n  max_gross_usd: 400"])
def test_caps_that_just_fit_are_not_doubted(edge: str) -> None:
    """Equal bounds are no contradiction."""
    assert check(read(with_risk(edge))) == []


def test_errors_come_first() -> None:
    """What must be mended is read before what may be."""
    text = with_line("fast: 20", "fast: 60").replace("schedule: 1h", "schedule: 15m")

    assert [finding.level for finding in check(read(text))] == ["error", "warning"]


def test_an_error_of_the_check_is_told_with_its_line() -> None:
    """Whoever loads a file gets the line of each error, as for what can't be read."""
    text = with_line("fast: 20", "fast: 60").replace("[get_bars, ", "[")
    with pytest.raises(SkillError) as caught:
        load(text, where="a.md")

    assert str(caught.value).splitlines() == [
        "a.md:5: model_params.fast is 60; it must be below slow, which is 50",
        "a.md:8: tools lacks get_bars, which baseline:sma-cross needs; add it",
    ]


def test_a_warning_of_a_file_has_its_line() -> None:
    """A doubt about a file can be looked up in it."""
    _, remarks = load(with_risk("max_drawdown_pct: null").encode())

    assert remarks == [
        Finding(
            "warning",
            ("risk", "max_drawdown_pct"),
            "is off; nothing halts the account at such a loss",
            line=12,
        )
    ]


def test_baselines_need_only_tools_that_exist() -> None:
    """The catalogue agrees with itself."""
    assert {tool for spec in BASELINES.values() for tool in spec.tools} <= set(TRADING_TOOLS)
