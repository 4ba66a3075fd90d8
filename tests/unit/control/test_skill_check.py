"""What a Skill's file is judged to be, before anything is kept of it."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from cli.skill_starter import LANGUAGE_MODEL_STARTER, STARTER
from config.models import DEFAULT_MODEL
from control.skill_check import CapLine, SkillReport, examine
from domain.caps import LOOSEST
from domain.time import parse_ts
from tests.architecture.repository import ROOT

NOW = parse_ts("2026-03-01T10:30:00Z")
STARTED = STARTER.format(name="btc-trend")


def examined(text: str, **platform: object) -> SkillReport:
    """A file judged on a platform that has these caps only."""
    return examine(text.encode(), platform=msgspec.structs.replace(LOOSEST, **platform), now_ms=NOW)


def cap(report: SkillReport, name: str) -> CapLine:
    """The line of one cap."""
    return next(line for line in report.caps if line.name == name)


def test_the_starter_is_usable_as_it_is() -> None:
    """Whoever starts from it and changes nothing meets no remark."""
    report = examined(STARTED)

    assert report.is_usable
    assert report.remarks == []
    assert (report.name, report.model) == ("btc-trend", "baseline:sma-cross")


def test_the_starter_for_a_language_model_is_usable_as_it_is() -> None:
    """It names the model that the settings name, and holds it on a short leash."""
    report = examined(LANGUAGE_MODEL_STARTER.format(name="btc-mind", model=DEFAULT_MODEL))

    assert report.is_usable
    assert report.remarks == []
    assert (report.name, report.model) == ("btc-mind", DEFAULT_MODEL)


def test_the_readme_shows_the_starters_front_matter() -> None:
    """The Skill of the README means what `skill new` writes, its prompt aside."""
    shown = (ROOT / "README.md").read_text().partition("```markdown\n")[2].partition("```")[0]
    prompt = STARTED.rpartition("---\n")[2]

    assert examined(shown + prompt).digest == examined(STARTED).digest


def test_a_cap_says_whose_it_is() -> None:
    """The Skill's own, even where it spells out the default; the default; none at all."""
    report = examined(STARTED.replace("  # require_stop: true", "  require_stop: false"))

    assert cap(report, "daily_loss_pct") == CapLine("daily_loss_pct", "5", "skill")
    assert cap(report, "require_stop") == CapLine("require_stop", "false", "skill")
    assert cap(report, "max_orders_per_hour") == CapLine("max_orders_per_hour", "60", "default")
    assert cap(report, "max_order_usd") == CapLine("max_order_usd", None, "default")


def test_the_platforms_cap_is_shown_where_it_is_tighter() -> None:
    """With what the Skill asked for beside it; where the Skill is tighter, its own stays."""
    report = examined(
        STARTED, max_leverage=Decimal("1.5"), max_order_usd=Decimal(500), daily_loss_pct=Decimal(5)
    )

    assert cap(report, "max_leverage") == CapLine("max_leverage", "1.5", "platform", "3")
    assert cap(report, "max_order_usd") == CapLine("max_order_usd", "500", "platform", None)
    assert cap(report, "daily_loss_pct") == CapLine("daily_loss_pct", "5", "skill")


def test_the_next_ticks_come_after_now() -> None:
    """Three of them, and one that falls on this instant is over."""
    on_the_hour = examine(STARTED.encode(), platform=LOOSEST, now_ms=parse_ts("2026-03-01T11:00:00Z"))

    assert examined(STARTED).next_ticks_ts == [parse_ts(f"2026-03-01T{hour}:00:00Z") for hour in (11, 12, 13)]
    assert on_the_hour.next_ticks_ts[0] == parse_ts("2026-03-01T12:00:00Z")


def test_ticks_that_lie_years_apart_are_as_many_as_there_are() -> None:
    """A leap day comes twice in ten years, and is not waited for any longer."""
    text = STARTED.replace("schedule: 1h", 'schedule: "0 0 29 2 *"')

    assert examined(text).next_ticks_ts == [parse_ts("2028-02-29"), parse_ts("2032-02-29")]


@pytest.mark.parametrize(
    ("symbol", "hint"), [("BTCUSDT", "did you mean BTC?"), ("NOSUCHCOIN", "must be imported with its facts")]
)
def test_a_symbol_that_the_instrument_table_lacks_is_doubtful(symbol: str, hint: str) -> None:
    """It may be a typing error, so the Skill stays usable and the remark says what was meant."""
    report = examined(STARTED.replace("[BTC]", f"[ETH, {symbol}]"))

    assert report.is_usable
    assert [(remark.level, remark.path) for remark in report.remarks] == [("warning", "market.symbols[1]")]
    assert hint in report.remarks[0].message


def test_every_problem_is_reported_with_its_line() -> None:
    """A file that can't be used says so, and nothing that would not hold."""
    report = examined(STARTED.replace("max_leverage", "max_lev").replace("[BTC]", "[]"))

    assert not report.is_usable
    assert [(remark.level, remark.line, remark.path) for remark in report.remarks] == [
        ("error", 7, "market.symbols"),
        ("error", 10, "risk.max_lev"),
    ]
    assert (report.caps, report.digest, report.next_ticks_ts) == ([], None, [])


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "skills").glob("*/SKILL.md")), ids=str)
def test_the_examples_are_usable(path: Path) -> None:
    """What ships as an example meets no error and no doubt."""
    assert examined(path.read_text()).remarks == []
