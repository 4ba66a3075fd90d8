"""Model runs at the command line: replayed without a model, estimated, stopped by budgets, several at once."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from db.pool import Database
from tests.integration.cli.conftest import Agentic
from tests.integration.simulator.samples import keep_market
from tests.integration.simulator.thinking import SKILL, key_of, thinker, whimsical
from tests.standins.messages_api import StandIn, stand_in_thread
from tests.standins.steps import Step, refuse

KEY = "sk-ant-planted-0123456789"
PERIOD = ("--from", "2025-01-02", "--to", "2025-01-04")
RUN = ("sim", "run", "thinker.md", *PERIOD)
Command = Callable[..., Any]


@pytest.fixture
async def market(database: Database) -> None:
    """Two hundred hours of one symbol."""
    await keep_market(database)


@pytest.fixture
def sim(agentic: Agentic, market: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`sim(api, "run", …)` gives what `agentic sim run … --json` prints; without an API there is no key either."""
    (tmp_path / "thinker.md").write_text(SKILL)

    def command(api: StandIn | None, *arguments: str) -> Any:
        at(monkeypatch, api)
        done = agentic(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return command


def at(monkeypatch: pytest.MonkeyPatch, api: StandIn | None) -> None:
    """Set what a person sets to have models asked at an API, or nothing of it."""
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("AGENTIC_MODEL_BASE_URL", raising=False)
    if api is not None:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("AGENTIC_MODEL_BASE_URL", api.url)


def test_a_run_is_replayed_without_a_key_to_the_same_report(sim: Command, tmp_path: Path) -> None:
    """With the models switched off: the same digests, the reports equal to the byte, nothing spent; and read back."""
    with stand_in_thread(whimsical) as api:
        first = sim(api, *RUN, "--report", "first.html")
    again = sim(None, *RUN, "--mode", "replay", "--report", "again.html")
    sim(None, "sim", "show", first["run_id"], "--report", "shown.html")
    pages = [(tmp_path / f"{name}.html").read_bytes() for name in ("first", "again", "shown")]

    assert first["digests"] == again["digests"]
    assert pages[0] == pages[1] == pages[2]
    assert Decimal(first["spent_usd"]) == Decimal(first["metrics"]["inference_cost"]) > 0
    assert again["spent_usd"] == "0"
    assert again["metrics"]["inference_cost"] == first["metrics"]["inference_cost"]
    assert Decimal(again["metrics"]["net_pnl"]) < Decimal(again["metrics"]["pnl"])


@pytest.mark.parametrize("name", ["AGENTIC_INFERENCE_USD_PER_DAY", "AGENTIC_INFERENCE_USD_PER_USER_DAY"])
def test_a_run_whose_day_is_spent_goes_on_with_a_larger_one(
    agentic: Agentic, sim: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """One line says which, how much, and what to do; nothing that is recorded is asked again."""
    with stand_in_thread(whimsical) as api:
        at(monkeypatch, api)
        monkeypatch.setenv(name, "0.15")
        stopped = agentic(*RUN, "--json")
        asked = api.calls
        monkeypatch.delenv(name)
        resumed = sim(api, "sim", "resume", "last")
        keys = [key_of(body) for body in api.bodies]

    assert (stopped.exit_code, stopped.stdout, stopped.stderr.count("\n")) == (1, "", 1)
    assert "is 0.15 USD: 0.0" in stopped.stderr
    assert f"raise {name}, or wait for the next day (UTC)" in stopped.stderr
    assert f"run {resumed['run_id']} can be resumed" in stopped.stderr
    assert 0 < asked < len(keys) == len(set(keys))
    assert Decimal(resumed["spent_usd"]) == Decimal(resumed["metrics"]["inference_cost"])


def test_a_run_whose_own_budget_is_spent_says_what_helps(
    agentic: Agentic, sim: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can't go on, since its budget is its version's; a version with more begins anew and asks only what is new."""
    (tmp_path / "thinker.md").write_text(thinker(usd="0.15"))
    with stand_in_thread(whimsical) as api:
        at(monkeypatch, api)
        stopped = agentic(*RUN)
        (tmp_path / "thinker.md").write_text(thinker(usd="5"))
        sim(api, *RUN)
        keys = [key_of(body) for body in api.bodies]

    assert stopped.exit_code == 1
    assert "the budget of the run is 0.15 USD" in stopped.stderr
    assert "run it again with a larger max_inference_usd_per_run" in stopped.stderr
    assert "can be resumed" not in stopped.stderr
    assert len(keys) == len(set(keys))


def test_what_is_dear_is_asked_about(agentic: Agentic, sim: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can answer it needs --yes: exit code 1, one line, nothing asked, no run kept."""
    with stand_in_thread(whimsical) as api:
        at(monkeypatch, api)
        monkeypatch.setenv("AGENTIC_CONFIRM_ABOVE_USD", "0.01")
        refused = agentic(*RUN)
        assert (refused.exit_code, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
        assert "add --yes to run it" in refused.stderr
        assert (api.calls, sim(api, "sim", "list")) == (0, [])
        sim(api, *RUN, "--yes")
        calls = api.calls
        assert calls > 0
        monkeypatch.setenv("AGENTIC_CONFIRM_ABOVE_USD", "100")
        sim(api, *RUN)
        assert api.calls == calls


def test_an_estimate_asks_nobody_and_is_borne_out(sim: Command) -> None:
    """Guessed without a key, then measured; a run costs about what it says, three and a masked one four times that."""
    guess = sim(None, *RUN, "--estimate")
    assert (guess["ticks"], guess["is_measured"]) == (12, False)
    with stand_in_thread(whimsical) as api:
        paid = Decimal(sim(api, *RUN)["spent_usd"])
        found = sim(api, *RUN, "--estimate")
        several = sim(api, *RUN, "--runs", "3", "--mask", "--estimate")
        replay = sim(None, *RUN, "--mode", "replay", "--estimate")

    assert paid / 4 < Decimal(guess["cost_usd"]) < paid * 8
    assert found["is_measured"]
    assert Decimal(found["cost_usd"]) == pytest.approx(paid, rel=Decimal("0.05"))
    assert several["runs"] == 4
    assert Decimal(several["cost_usd"]) == 4 * Decimal(found["cost_usd"])
    assert Decimal(several["most_usd"]) == 4 * Decimal(found["most_usd"]) == 200
    assert (replay["cost_usd"], replay["most_usd"]) == ("0", "0")


def test_a_run_that_failed_throughout_is_no_measure(
    sim: Command, monkeypatch: pytest.MonkeyPatch, agentic: Agentic
) -> None:
    """It cost nothing, and the next one will: what it would cost is guessed, and asked about."""
    with stand_in_thread(whimsical) as api:
        monkeypatch.setenv("AGENTIC_INFERENCE_USD_PER_CALL", "0.0001")
        failed = sim(api, *RUN)
        monkeypatch.delenv("AGENTIC_INFERENCE_USD_PER_CALL")
        guess = sim(api, *RUN, "--estimate")

    assert failed["metrics"]["inference"]["failed_ticks"] == failed["metrics"]["inference"]["ticks"]
    assert (guess["is_measured"], Decimal(guess["cost_usd"]) > 0) == (False, True)


def test_an_estimate_where_no_model_is_asked_says_so(agentic: Agentic, sim: Command) -> None:
    """A replay, like a baseline, costs nothing; there are no tokens to speak of."""
    done = agentic(*RUN, "--mode", "replay", "--estimate")

    assert done.stdout == "one run of 12 ticks: no model is asked, so it costs nothing\n"


def test_a_masked_runs_decisions_say_that_their_days_are_others(agentic: Agentic, sim: Command) -> None:
    """Else a person looks for the ticks where they were asked for."""
    with stand_in_thread(whimsical) as api:
        done = sim(api, *RUN, "--mask")
    masked, plain = (
        agentic("decisions", done[part]["run_id"] if part else done["run_id"]) for part in ("control", "")
    )

    assert masked.stderr.startswith("masked: times, names and prices are those that the model was shown, ")
    assert masked.stderr.endswith(" for 2025-01-02\n")
    assert plain.stderr == ""


def test_an_unknown_models_cost_is_unknown_everywhere(agentic: Agentic, sim: Command, tmp_path: Path) -> None:
    """Never 0: in the estimate, the run, the list, the comparison and the report. It is warned of once."""
    (tmp_path / "thinker.md").write_text(thinker(model="anthropic:somebodys-own"))
    with stand_in_thread(whimsical) as api:
        guess = sim(api, *RUN, "--estimate")
        done = sim(api, *RUN, "--report", "report.html")
        said = agentic(*RUN)
    replayed = sim(None, *RUN, "--mode", "replay")
    shown = [
        agentic("sim", *what).stdout for what in (("show", "last"), ("list",), ("compare", "last", "last"))
    ]
    metrics = done["metrics"]

    assert (guess["cost_usd"], guess["most_usd"]) == (None, None)
    assert done["spent_usd"] is None
    assert replayed["spent_usd"] == "0"
    for run in (done, replayed):
        assert {run["metrics"][name] for name in ("inference_cost", "net_pnl", "net_return")} == {None}
    assert metrics["inference"]["calls"] > 0
    assert metrics["inference_totals"]["cost_usd"] is None
    assert all("unknown" in one for one in shown)
    assert "unknown" in (tmp_path / "report.html").read_text()
    assert said.stderr.count("is not in the model table") == 1


def test_one_run_of_several_that_stops_leaves_the_others_whole(
    agentic: Agentic, sim: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is refused in the middle of one: the line says which stopped and how many are done; it is resumed."""
    refused_at = 20

    def once(body: Mapping[str, Any], number: int) -> Step:
        return refuse(401, "authentication_error") if number == refused_at else whimsical(body, number)

    with stand_in_thread(once) as api:
        at(monkeypatch, api)
        stopped = agentic(*RUN, "--runs", "3")
        kept = sim(api, "sim", "list")
        (left,) = [run for run in kept if run["status"] != "done"]
        resumed = sim(api, "sim", "resume", left["run_id"])

    assert (stopped.exit_code, stopped.stdout, stopped.stderr.count("\n")) == (1, "", 1)
    assert "check ANTHROPIC_API_KEY" in stopped.stderr
    assert f"run {left['run_id']} can be resumed; of 3 runs, 2 are done" in stopped.stderr
    assert sorted(run["status"] for run in kept) == ["done", "done", "interrupted"]
    assert resumed["runs"]["n"] == 3


def test_several_runs_are_replayed_each_to_its_own_bytes(sim: Command) -> None:
    """Three samples and a masked control, recorded and then replayed without a model."""
    with stand_in_thread(whimsical) as api:
        recorded = sim(api, *RUN, "--runs", "3", "--mask")
    replayed = sim(None, *RUN, "--runs", "3", "--mask", "--mode", "replay")

    def figures(batch: Any) -> Any:
        return [{**run, "run_id": ""} for run in (*batch["runs"]["each"], batch["control"])]

    assert figures(recorded) == figures(replayed)
    assert recorded["digests"] == replayed["digests"]
    assert (recorded["spent_usd"] > "0", replayed["spent_usd"]) == (True, "0")
