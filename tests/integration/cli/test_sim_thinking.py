"""A model's runs at the command line: split at the cutoff, several with their band, a masked control, all paid for."""

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from db.pool import Database
from tests.integration.cli.conftest import Agentic
from tests.integration.simulator.samples import keep_market
from tests.standins.brains import symbols, turns
from tests.standins.messages_api import StandIn, stand_in_thread
from tests.standins.steps import Step, call, say

SKILL = """\
---
name: thinker
description: Trades a little of everything it is shown
model: anthropic:claude-sonnet-4-6
schedule: 4h
market: {symbols: [BTC], interval: 1h, bars: 10}
tools: [propose_order]
risk:
  max_leverage: 2
  allow_short: true
---
You trade BTC. Buy or sell a little at every tick.
"""
PERIOD = ("--from", "2025-01-02", "--to", "2025-01-05")
CUTOFF = ("--cutoff", "2025-01-03")


def fickle(body: Mapping[str, Any], number: int) -> Step:
    """Buy or sell by how often it was asked before, so that no two runs agree; now and then call what is not there."""
    if turns(body):
        return say("That is all for now.")
    if number % 7 == 0:
        return call("withdraw", {"to": "me"})
    side = "sell" if number % 3 else "buy"
    size = "0.01" if symbols(body)[0] == "BTC" else "100"
    return call(
        "propose_order", {"symbol": symbols(body)[0], "side": side, "size": size, "why": f"asked {number}"}
    )


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The models' API, with the key and the address that the settings need."""
    with stand_in_thread(fickle) as served:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test-planted-key")
        monkeypatch.setenv("AGENTIC_MODEL_BASE_URL", served.url)
        yield served


@pytest.fixture
async def market(database: Database) -> None:
    """Two hundred hours of one symbol."""
    await keep_market(database)


@pytest.fixture
def sim(agentic: Agentic, market: None, api: StandIn, tmp_path: Path) -> Callable[..., Any]:
    """`sim("run", "thinker.md")` gives what `agentic sim run thinker.md --json` prints."""
    (tmp_path / "thinker.md").write_text(SKILL)

    def command(*arguments: str) -> Any:
        done = agentic("sim", *arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return command


def test_a_run_is_split_at_the_cutoff_and_paid_for(sim: Callable[..., Any]) -> None:
    """A third of it lies before; the net return is what is left after the price of each call."""
    found = sim("run", "thinker.md", *PERIOD, *CUTOFF)["metrics"]

    split, cost = found["split"], Decimal(found["inference_cost"])
    assert split["share_before"] == pytest.approx(1 / 3)
    assert (1 + split["before"]["total_return"]) * (1 + split["after"]["total_return"]) == pytest.approx(
        1 + found["total_return"]
    )
    assert found["inference"]["calls"] >= found["inference"]["ticks"] == 18
    assert cost > 0
    assert Decimal(found["net_pnl"]) == Decimal(found["pnl"]) - cost
    assert sum(found["inference"]["malformed"].values()) >= 1


def test_several_runs_have_a_band_and_a_control(
    agentic: Agentic, sim: Callable[..., Any], tmp_path: Path
) -> None:
    """In JSON, on the terminal and in the report; each run is its own, and the masked one is not among them."""
    done = sim("run", "thinker.md", *PERIOD, *CUTOFF, "--runs", "3", "--mask", "--report", "report.html")
    shown = agentic("sim", "show", done["run_id"])
    html = (tmp_path / "report.html").read_text()

    runs = done["runs"]
    assert runs["n"] == len(runs["each"]) == runs["metrics"]["net_return"]["n"] == 3
    assert sorted(each["sample"] for each in runs["each"]) == [0, 1, 2]
    assert done["run_id"] in {each["run_id"] for each in runs["each"]}
    assert sim("show", "last")["run_id"] == done["run_id"]
    assert done["control"]["run_id"] not in {each["run_id"] for each in runs["each"]}
    assert len({each["total_return"] for each in runs["each"]}) > 1
    assert done["control"]["total_return"] != 0
    middle = runs["metrics"]["total_return"]["median"]
    assert done["control"]["gap"]["total_return"] == pytest.approx(middle - done["control"]["total_return"])
    for said in (
        "before the model's knowledge ends (2025-01-03)",
        "Split at the cutoff",
        "Over 3 runs",
        "Masked control",
    ):
        assert said in shown.stdout, said
    for said in (
        "knowledge ends (2025-01-03)",
        "Before and after the knowledge cutoff",
        "Spread over 3 runs",
        "Masked control",
        "Thinking",
    ):
        assert said in html, said


def test_the_masked_run_says_that_it_is_masked(
    agentic: Agentic, sim: Callable[..., Any], tmp_path: Path
) -> None:
    """On its report's head; the dates that it was shown are not told as the real cutoff."""
    done = sim("run", "thinker.md", *PERIOD, *CUTOFF, "--mask")
    shown = agentic("sim", "show", done["control"]["run_id"], "--report", "masked.html")
    html = (tmp_path / "masked.html").read_text()

    assert "masked" in shown.stdout.splitlines()[0]
    assert "knowledge ends (2025-01-03)" in shown.stdout
    assert "Masked: symbols, dates and prices hidden" in html
    assert "Before the cutoff" in html
