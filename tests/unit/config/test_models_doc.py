"""docs/models.md shows the facts there are, and the files it shows can be used."""

import re
from pathlib import Path

from config.models import ModelFacts, load_models
from config.settings import Settings, setting_names
from domain.money import plain
from domain.time import parse_ts
from skills.schema import RiskSection

TEXT = (Path(__file__).parents[3] / "docs" / "models.md").read_text("utf-8")
AS_OF = parse_ts("2026-11-22")


def row_of(facts: ModelFacts) -> str:
    """One model as the table shows it."""
    price = facts.price_at(AS_OF)
    assert price is not None
    rates = [plain(usd) for usd in (price.input, price.output, price.cache_read)]
    sure = "on" if facts.retires_surely else "not before"
    retires = f"{sure} {facts.retires}" if facts.retires else None
    days = [facts.reliable_cutoff, facts.training_cutoff, facts.released, retires]
    return f"| {' | '.join([f'`{facts.id}`', *rates, *(day or '–' for day in days)])} |"


def test_the_table_shows_every_model_as_it_is() -> None:
    """Row for row, in the order of the file."""
    shown = [line for line in TEXT.splitlines() if line.startswith("| `claude-")]

    assert shown == [row_of(facts) for facts in load_models().models.values()]


def test_the_file_of_other_facts_can_be_used(tmp_path: Path) -> None:
    """It moves a cutoff, and adds a model that is free."""
    path = tmp_path / "models.toml"
    path.write_text(TEXT.partition("```toml\n")[2].partition("```")[0])
    table = load_models(path)
    moved, added = table.models["claude-sonnet-4-6"], table.models["my-model:30b"]

    assert moved.knowledge_ends_ts == parse_ts("2025-09-01")
    assert added.knowledge_ends_ts == parse_ts("2025-06-01")
    assert added.price_at(AS_OF) is not None


def test_every_key_of_an_entry_is_named() -> None:
    """The list of keys is complete."""
    sentence = TEXT.partition("The keys of an entry are")[2].partition("; the head")[0]

    assert sorted(re.findall(r"`(\w+)`", sentence)) == sorted({*ModelFacts.__struct_fields__} - {"id"})


def test_every_setting_it_names_is_one() -> None:
    """So are the budgets, with their defaults."""
    known = {name for field in Settings.model_fields for name in setting_names(field)}
    rows = dict(re.findall(r"\| of [^|]+ \| `(\S+)`[^|]*\| (\d+) USD \|", TEXT))
    fields = {**Settings.model_fields, **{f"risk.{name}": f for name, f in RiskSection.model_fields.items()}}

    assert set(re.findall(r"AGENTIC_\w+|ANTHROPIC_\w+", TEXT)) <= known
    assert len(rows) == 6
    for name, usd in rows.items():
        assert fields[name.removeprefix("AGENTIC_").lower()].default == int(usd)
