"""`agentic deploy`, `deployments` and what a deployment is told, as people type it."""

import asyncio
import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from db.heartbeats import Heartbeat, beat
from db.pool import Database
from tests.integration.actors.fleet import process, row_of, until
from tests.integration.cli.conftest import Agentic
from tests.integration.cli.test_process import COMMAND
from tests.integration.simulator.samples import keep_market, skill_text

REPLAY = "replay:2025-01-02..2025-01-08@max"
SOON = ("--timeout", "0.1")

Said = Callable[..., Any]


@pytest.fixture
async def market(database: Database) -> None:
    """Two hundred hours of BTC."""
    await keep_market(database)


@pytest.fixture
def said(agentic: Agentic, market: None, tmp_path: Path) -> Said:
    """`said("deploy", …)` gives the document of the command, which must succeed."""
    (tmp_path / "sample.md").write_text(skill_text())
    (tmp_path / "faster.md").write_text(skill_text(model_params="{fast: 2, slow: 5, size: 0.1}"))

    def call(*arguments: str, code: int = 0) -> Any:
        done = agentic(*arguments, "--json")
        assert done.exit_code == code, done.output
        return json.loads(done.stdout)

    return call


def deployed(said: Said, feed: str = REPLAY) -> str:
    """The id of a new deployment that nobody runs yet."""
    document = said("deploy", "sample.md", "--feed", feed, "--no-follow")
    assert document["status"] == "provisioning"
    found: str = document["deployment_id"]
    return found


def test_a_deployment_is_one_document(said: Said) -> None:
    """What it is, and that nothing has happened in it."""
    document = said("deploy", "sample.md", "--feed", REPLAY, "--cash", "2_500", "--seed", "3", "--no-follow")

    assert document["config"] == {"cash": "2500", "seed": 3, "costs": "default"}
    assert (document["skill"], document["version"], document["mode"]) == ("sample", 1, "paper")
    assert (document["feed"], document["synthetic"], document["state"]) == (REPLAY, False, None)
    assert document["figures"] == {
        "start": "2500", "equity": None, "return": None, "fills": 0, "fees": "0", "funding": "0", "realized": "0",
    }  # fmt: skip


def test_made_up_prices_are_labelled(said: Said, agentic: Agentic) -> None:
    """Wherever they are shown."""
    deployed(said, "synthetic@7")

    (document,) = said("deployments")
    assert (document["feed"], document["synthetic"]) == ("synthetic@7", True)
    assert "made-up prices" in agentic("deployments", "show", "last").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["sample.md"], 1, "live prices are not here yet"),
        (["sample.md", "--mode", "mainnet"], 1, "paper first"),
        (["sample.md", "--feed", "replay:yesterday"], 2, "is not a feed"),
        (["sample.md", "--cash", "much"], 2, "is not an amount"),
        (["nobody", "--feed", REPLAY], 1, "there is no skill nobody"),
    ],
)
def test_what_can_not_be_deployed_is_one_line(
    said: Said, agentic: Agentic, arguments: list[str], code: int, why: str
) -> None:
    """On stderr; wrong usage ends with 2."""
    done = agentic("deploy", *arguments)

    assert (done.exit_code, done.stdout) == (code, "")
    assert why in " ".join(done.stderr.replace("│", " ").split())
    if code == 1:
        assert done.stderr.count("\n") == 1
    assert said("deployments", "--all") == []


def test_deployments_are_listed(said: Said, agentic: Agentic) -> None:
    """Those that are open, newest first; and where there are none, how to get one."""
    assert "Start one: agentic deploy" in agentic("deployments").stdout
    first, second = deployed(said), deployed(said)

    assert [one["deployment_id"] for one in said("deployments")] == [second, first]
    assert [one["deployment_id"] for one in said("deployments", "--limit", "1")] == [second]
    shown = agentic("deployments").stdout
    assert first[-8:] in shown
    assert "provisioning" in shown


async def test_what_a_deployment_came_to_is_shown(said: Said, agentic: Agentic, database: Database) -> None:
    """Its figures, its ticks, the end of its log, and where to look further."""
    deployment_id = await asyncio.to_thread(deployed, said)
    async with process(database):
        await until(lambda: _is_over(database, deployment_id))

    document = await asyncio.to_thread(said, "deployments", "show", "sample")
    shown = (await asyncio.to_thread(agentic, "deployments", "show", deployment_id[-8:])).stdout

    assert (document["status"], document["reason"]) == (
        "stopped",
        "the replay is over; its positions were not closed",
    )
    assert document["figures"]["fills"] > 10
    assert document["figures"]["equity"] == document["state"]["equity"]
    assert document["state"]["market_time"] == "2025-01-08T00:00:00Z"
    assert document["log"][-1]["event"] == "is stopped"
    for text in ("agentic decisions", "agentic parity", "Holds", "fills", "2025-01-08T00:00:00Z"):
        assert text in shown


async def test_decisions_and_parity_of_a_deployment(
    said: Said, agentic: Agentic, database: Database, tmp_path: Path
) -> None:
    """Why it did what it did, tick by tick; and that the simulator does the same."""
    deployment_id = await asyncio.to_thread(deployed, said)
    async with process(database):
        await until(lambda: _is_over(database, deployment_id))

    listed = await asyncio.to_thread(said, "decisions", deployment_id[-8:])
    tick = listed["decisions"][0]["tick_ts"]
    told = await asyncio.to_thread(said, "decisions", "sample", "--tick", tick)
    assert listed["deployment_id"] == told["deployment_id"] == deployment_id
    assert told["tick_ts"] == tick

    parity = await asyncio.to_thread(said, "parity", "last")
    assert parity["exact"] is True
    assert parity["divergence"] == {"usd": "0", "bps": 0.0, "widest_usd": "0"}
    assert (parity["ticks"]["due"], parity["ticks"]["same"]) == (144, 144)
    assert parity["parts"] == parity["differences"] == []
    file = tmp_path / "parity.html"
    shown = (await asyncio.to_thread(agentic, "parity", "last", "--report", str(file))).stdout
    assert "No difference:" in file.read_text("utf-8")
    assert "No difference: 144 ticks" in shown


async def _is_over(database: Database, deployment_id: str) -> bool:
    return (await row_of(database, UUID(deployment_id))).status.is_over


# Run here.


def test_where_nobody_runs_deployments_one_runs_here(said: Said, agentic: Agentic) -> None:
    """To its end, which is shown."""
    done = agentic("deploy", "sample.md", "--feed", REPLAY)

    assert done.exit_code == 0, done.stderr
    assert "no `agentic up` is running, so it runs here until it ends or Ctrl-C" in done.stderr
    assert "stopped: the replay is over" in done.stdout
    assert "agentic parity" in done.stdout
    assert said("parity", "last")["exact"] is True


def test_after_ctrl_c_it_stays_open(said: Said, tmp_path: Path) -> None:
    """The command ends in order with 130; the account is free for whoever goes on with it, and a command reaches it."""
    command = [str(COMMAND), "deploy", "sample.md", "--feed", REPLAY.replace("@max", "@1x")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, text=True, **pipes) as running:
        while not (rows := said("deployments")) or rows[0]["status"] != "running":
            assert running.poll() is None
        paused = said("pause", "last")
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=30)

    assert paused["state"] == "done"
    assert (running.returncode, output) == (130, "")
    assert errors.endswith("stopped here; it stays open, and the next `agentic up` goes on with it\n")
    (row,) = said("deployments")
    assert row["status"] == "paused"


# What it is told.


@pytest.mark.parametrize("arguments", [["stop"], ["pause"], ["flatten", "--yes"], ["kill", "--yes"]])
def test_what_makes_an_account_safer_is_kept_where_nobody_runs_it(
    said: Said, agentic: Agentic, arguments: list[str]
) -> None:
    """It ends with 1, as it is not done; and says until when it is kept."""
    deployment_id = deployed(said)

    told = said(arguments[0], deployment_id, *arguments[1:], code=1)
    assert (told["state"], told["kind"], told["deployment_id"]) == ("queued", arguments[0], deployment_id)

    done = agentic(arguments[0], "sample", *arguments[1:])
    assert done.exit_code == 1
    assert f"{arguments[0]} is kept for whoever runs it next, until " in done.stdout


def test_what_is_for_now_expires(said: Said, agentic: Agentic) -> None:
    """And says what to do."""
    deployment_id = deployed(said)

    assert said("close", deployment_id, "BTC", *SOON, code=1)["state"] == "expired"
    done = agentic("resume", "last", *SOON)
    assert done.exit_code == 1
    assert "was not carried out: nobody took it before its deadline; start `agentic up`" in done.stdout
    assert "no `agentic up` is running" in done.stderr


def test_nothing_is_waited_for_where_it_is_not_wanted(said: Said) -> None:
    """It ends with 0: it was sent."""
    deployment_id = deployed(said)

    said("deploy", "faster.md", "--feed", REPLAY, "--no-follow")
    for arguments in (["resume"], ["cancel", "7"], ["halt", "reset"], ["upgrade", "2"]):
        name = arguments[:2] if arguments[0] == "halt" else arguments[:1]
        rest = arguments[len(name) :]
        told = said(*name, deployment_id, *rest, "--no-wait")
        assert told["state"] == "queued"
    kinds = [one["kind"] for one in said("deployments", "show", deployment_id)["commands"]]
    assert kinds == ["upgrade", "reset_halt", "cancel", "resume"]


def test_all_are_told(said: Said, agentic: Agentic) -> None:
    """A list of what came of each; and one has to say whom."""
    ids = {deployed(said), deployed(said)}

    told = said("stop", "--all", "--yes", code=1)
    assert {one["deployment_id"] for one in told} == ids
    for arguments in (["stop"], ["pause", "last", "--all"]):
        wrong = agentic(*arguments)
        assert wrong.exit_code == 2
        assert "name a deployment, or say --all" in " ".join(wrong.stderr.replace("│", " ").split())
    assert said("pause", "--all", code=1) != []


def test_nothing_that_can_not_be_undone_is_done_unasked(said: Said, agentic: Agentic) -> None:
    """Where nobody can be asked, it has to be said beforehand."""
    deployment_id = deployed(said)

    for arguments in (["kill", deployment_id], ["flatten", "--all"], ["stop", "--all"]):
        done = agentic(*arguments)
        assert done.exit_code == 1
        assert done.stderr == "this can't be undone, and nobody can be asked here; add --yes\n"
    assert "commands" not in said("deployments", "show", "last")


async def test_a_command_is_answered(said: Said, agentic: Agentic, database: Database) -> None:
    """By whoever runs the deployment, as its heartbeat shows."""
    deployment_id = await asyncio.to_thread(deployed, said, "replay:2025-01-02..2025-01-08@1x")
    async with database.as_worker() as connection:
        await beat(connection, Heartbeat("somebody", "here", 1, ["deployments"], 0, 0, {}))

    async with process(database) as running:
        await until(lambda: _is_running(database, deployment_id))
        running.look()
        done = await asyncio.to_thread(agentic, "pause", "last")
        stopped = await asyncio.to_thread(said, "stop", "last")

    assert (done.exit_code, done.stdout) == (0, f"sample {deployment_id[-8:]}: paused\n")
    assert (stopped["state"], stopped["result"]["status"]) == ("done", "stopped")


async def test_who_watches_is_shown_the_end(said: Said, database: Database) -> None:
    """Also where somebody else runs it, whose last word comes after the end."""
    async with database.as_worker() as connection:
        await beat(connection, Heartbeat("somebody", "here", 1, ["deployments"], 0, 0, {}))

    async with process(database):
        document = await asyncio.to_thread(said, "deploy", "sample.md", "--feed", REPLAY)
    parity = await asyncio.to_thread(said, "parity", "last")

    assert document["status"] == "stopped"
    assert document["figures"]["equity"] == parity["deployment"]["equity"]


async def _is_running(database: Database, deployment_id: str) -> bool:
    return (await row_of(database, UUID(deployment_id))).status == "running"
