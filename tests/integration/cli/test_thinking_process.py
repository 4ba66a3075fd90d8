"""A model's run whose process or server ends in the middle: it goes on to the same bytes and asks nothing twice."""

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from db.connection import Connection
from domain.money import ZERO
from tests.integration.cli.test_sim_process import Agentic, ended
from tests.integration.db.client import end_server
from tests.integration.simulator.thinking import SKILL, Biller, thinker
from tests.standins.messages_api import stand_in
from tests.standins.steps import Step

KEY = "sk-ant-planted-0123456789"
MARKET = (
    "data",
    "synth",
    "--symbol",
    "BTC",
    "--interval",
    "1h",
    "--from",
    "2025-01-01",
    "--to",
    "2025-01-04",
)
RUN = ("sim", "run", "thinker.md", "--from", "2025-01-02", "--to", "2025-01-04")
RESUME = ("sim", "resume", "last")


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a short path, for the server's socket; its server is ended."""
    folder = Path(tempfile.mkdtemp(prefix="ag-", dir="/tmp"))
    yield folder
    end_server(folder)
    shutil.rmtree(folder, ignore_errors=True)


class Doom:
    """A mind that, asked for the n-th time from when it was told, brings something about before it answers."""

    def __init__(self, biller: Biller) -> None:
        self._biller = biller
        self._left = 0
        self._what: Callable[[], None] = lambda: None

    def at(self, number: int, what: Callable[[], None]) -> None:
        """Bring this about with the request of that number, counted from now."""
        self._left, self._what = number, what

    def __call__(self, body: Mapping[str, Any], number: int) -> Step:
        """Answer, as the mind behind it does."""
        step = self._biller(body, number)
        self._left -= 1
        if self._left == 0:
            self._what()
        return step


async def recorded(admin: Connection) -> set[str]:
    """The keys under which an answer is recorded."""
    return {row["key"] for row in await admin.fetch("select key from model_calls where usage is not null")}


async def booked(admin: Connection, prefix: str) -> Decimal:
    """What is spent or set aside in all scopes that begin so."""
    found = await admin.fetchval(
        "select sum(spent_usd) from inference_totals where starts_with(scope, $1)", prefix
    )
    return found or ZERO


async def test_a_killed_run_goes_on_and_asks_nothing_twice(
    database_url: str, admin: Connection, tmp_path: Path
) -> None:
    """kill -9 and Ctrl-C while calls are under way, several times over: the digests of a run that was left alone.

    What the other side billed is booked, the calls that were cut off among them.
    """
    biller = Biller()
    doom = Doom(biller)
    async with stand_in(doom, piece_bytes=200) as api:
        agentic = Agentic(
            tmp_path,
            AGENTIC_HOME=str(tmp_path / "home"),
            DATABASE_URL=database_url,
            ANTHROPIC_API_KEY=KEY,
            AGENTIC_MODEL_BASE_URL=api.url,
        )
        (tmp_path / "thinker.md").write_text(SKILL)
        await agentic.done(*MARKET)
        command: tuple[str, ...] = RUN
        for number, how in (
            (3, signal.SIGKILL),
            (1, signal.SIGKILL),
            (8, signal.SIGINT),
            (6, signal.SIGKILL),
        ):
            process = await agentic.start(*command, "--json")
            doom.at(number, lambda process=process, how=how: process.send_signal(how))  # type: ignore[misc]
            before, asked = await recorded(admin), len(biller.keys)
            code, _, err = await ended(process)
            assert code == (130 if how == signal.SIGINT else -how), err
            assert len(biller.keys) == asked + number
            assert not before & set(biller.keys[asked:])
            command = RESUME
        before, asked = await recorded(admin), len(biller.keys)
        resumed = await agentic.done(*RESUME)
        assert not before & set(biller.keys[asked:])
        paid, total = biller.total, await booked(admin, "run:")
        whole = await agentic.done(*RUN, "--mode", "live")

    assert resumed["digests"] == whole["digests"]
    assert resumed["run_id"] != whole["run_id"]
    assert Decimal(resumed["metrics"]["inference_cost"]) < paid <= total == Decimal(resumed["spent_usd"])


async def test_a_run_whose_server_dies_while_a_model_thinks_notices_nothing(
    home: Path, tmp_path: Path
) -> None:
    """kill -9 of Postgres between two of its transactions: it is started again; no answer is lost or asked twice."""
    biller = Biller()
    doom = Doom(biller)
    async with stand_in(doom) as api:
        agentic = Agentic(
            tmp_path, AGENTIC_HOME=str(home), ANTHROPIC_API_KEY=KEY, AGENTIC_MODEL_BASE_URL=api.url
        )
        (tmp_path / "thinker.md").write_text(SKILL)
        await agentic.done(*MARKET)
        doom.at(7, lambda: end_server(home))
        done = await agentic.done(*RUN)
        asked = list(biller.keys)
        whole = await agentic.done(*RUN, "--mode", "live")

    assert len(asked) == len(set(asked)) == done["metrics"]["inference"]["calls"] > 7
    assert done["digests"] == whole["digests"]
    assert done["spent_usd"] == whole["spent_usd"]


async def test_processes_side_by_side_pass_no_budget(
    database_url: str, admin: Connection, tmp_path: Path
) -> None:
    """Four on one day's budget, faults and all; one is killed in the middle of a call, one makes three runs."""
    biller = Biller(seed=4, faults=25, late_ms=4_000)
    doom = Doom(biller)
    limit = Decimal("1.5")
    async with stand_in(doom) as api:
        agentic = Agentic(
            tmp_path,
            AGENTIC_HOME=str(tmp_path / "home"),
            DATABASE_URL=database_url,
            ANTHROPIC_API_KEY=KEY,
            AGENTIC_MODEL_BASE_URL=api.url,
            AGENTIC_MODEL_TIMEOUT_S="1",
            AGENTIC_INFERENCE_USD_PER_DAY=str(limit),
        )
        await agentic.done(*MARKET)
        for name in ("a", "b", "c", "d"):
            (tmp_path / f"{name}.md").write_text(thinker(name))
        processes = [
            await agentic.start(*RUN[:2], f"{name}.md", *RUN[3:], *more)
            for name, more in (("a", ()), ("b", ("--runs", "3")), ("c", ()), ("d", ()))
        ]
        doom.at(5, processes[0].kill)
        ends = [await ended(process) for process in processes]
        days = await booked(admin, "day:")
        runs = await booked(admin, "run:")

    assert [code for code, _, _ in ends] == [-signal.SIGKILL, 1, 1, 1]
    assert all("the budget of the day, of all people together is 1.5 USD" in err for _, _, err in ends[1:])
    assert biller.total <= days == runs <= limit
