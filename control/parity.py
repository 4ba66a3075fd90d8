"""Parity: a deployment beside the simulator's account over the same market, and what explains the difference."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from uuid import UUID

import msgspec

from agent.baselines import Trader
from agent.provider import Provider
from agent.run import baseline_for
from control.deployments import load, spec_of
from control.errors import Invalid
from control.skills import skill_of
from db.agent_logs import KeptLog, tail_logs
from db.agent_state import StateRow, load_states
from db.decisions import thoughts
from db.deployments import DeploymentRow
from db.equity import load_points
from db.journal import load_entries
from db.pool import Database
from db.skills import VersionRow, find_version
from domain.caps import tightest
from domain.feeds import parse_feed
from domain.journal import Entry
from domain.snapshots import DecisionSnapshot
from domain.time import MINUTE_MS, SECOND_MS, Clock, ceil_to, floor_to, parse_ts
from market.news import StoredNews
from simulator.data import MarketData
from simulator.parity.account import AccountRecord
from simulator.parity.compare import compare
from simulator.parity.extent import Extent, of_clock, of_tape
from simulator.parity.market import made_up, replayed
from simulator.parity.recorded import AsRecorded, recorded_trader
from simulator.parity.report import Parity
from simulator.parity.rerun import Act, due_of, rerun
from simulator.parity.ticks import Absence, Circumstances
from simulator.spec import RunSpec, SimulationError
from skills.skill import Skill

UPGRADED = "goes on with another version"
"""What a deployment's log says where its version changes."""

SETTLED_MS = 10 * SECOND_MS
"""So long after an instant its tick is over, on a market that goes with the clock."""

MOST_LINES = 100_000
_AWAY = {"is paused": "paused", "is stopping": "stopped", "is stopped": "stopped", "is failed": "failed"}
"""Where no ticks are taken, as its log has it. What its engine does by itself, such as a halt, is in the journal."""


class DeploymentParity(msgspec.Struct, frozen=True):
    """How a deployment compares. `off_record` are ticks at which its model was asked something else in the simulator.

    There its recorded actions were taken as they are.
    """

    row: DeploymentRow
    model: str
    found: Parity
    off_record: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()


class _Kept(msgspec.Struct, frozen=True):
    """What is kept of a deployment."""

    entries: Sequence[Entry]
    decisions: Sequence[DecisionSnapshot]
    points: Sequence[tuple[int, Decimal]]
    log: Sequence[KeptLog]
    state: StateRow | None


async def parity(
    database: Database,
    user_id: UUID,
    deployment_id: UUID,
    provider: Provider,
    clock: Clock,
    progress: Callable[[float], None] = lambda share: None,
) -> DeploymentParity:
    """Simulate what a deployment lived through, and hold the two beside each other. Nothing of it is kept.

    Raises NotFound, or Invalid, in one line, where there is nothing to compare or its market is not there any more.
    """
    row = await load(database, user_id, deployment_id)
    try:
        return await _Comparison(database, row, provider, clock).made(progress)
    except SimulationError as error:
        raise Invalid(str(error)) from error


def report_html(compared: DeploymentParity) -> str:
    """A comparison as one self-contained HTML file."""
    from simulator.parity.page import About, render

    row = compared.row
    about = About(
        skill=row.skill_name,
        version=row.skill_number,
        model=compared.model,
        deployment_id=str(row.id),
        feed=row.feed,
        is_synthetic=parse_feed(row.feed).kind == "synthetic",
        warnings=compared.warnings,
        off_record=len(compared.off_record),
    )
    return render(compared.found, about)


class _Comparison:
    """One comparison in the making."""

    def __init__(self, database: Database, row: DeploymentRow, provider: Provider, clock: Clock) -> None:
        self._database = database
        self._row = row
        self._provider = provider
        self._clock = clock
        self._feed = parse_feed(row.feed)
        self._account = str(row.account_id)

    async def made(self, progress: Callable[[float], None]) -> DeploymentParity:
        kept = await self._kept()
        versions = await self._versions(kept.log)
        spec, market = await self._market(skill_of(versions[0][1]), self._spec())
        extent = self._extent(kept, spec, market)
        if extent.to_ts <= extent.from_ts:
            raise Invalid(f"deployment {self._row.id} has not seen enough of its market to be compared yet")
        traders: list[Trader] = []
        acts: list[Act] = []
        for from_ts, version in versions:
            skill = skill_of(version)
            seen = market if not acts else (await self._market(skill, spec))[1]
            traders.append(await self._trader(skill, spec, kept.decisions))
            acts.append(Act(from_ts, skill, traders[-1], seen))
        sim = await rerun(acts, spec, extent.to_ts, progress)
        live = self._record(kept, extent, due_of(acts, extent.from_ts, extent.to_ts))
        found = compare(live, sim, self._around(kept, extent, market, acts[0].skill))
        off = [ts for trader in traders if isinstance(trader, AsRecorded) for ts in trader.off_record]
        return DeploymentParity(self._row, acts[-1].skill.model, found, tuple(off), market.warnings)

    async def _kept(self) -> _Kept:
        row = self._row
        async with self._database.as_worker() as connection:
            decisions = await thoughts(connection, row.account_id)
            return _Kept(
                entries=await load_entries(connection, row.account_id),
                decisions=[msgspec.convert(one.body, DecisionSnapshot) for one in decisions],
                points=[(one.ts, one.equity) for one in await load_points(connection, row.account_id)],
                log=await tail_logs(connection, row.id, limit=MOST_LINES),
                state=(await load_states(connection, [row.id])).get(row.id),
            )

    def _spec(self) -> RunSpec:
        """The settings of the simulation, over all of a replay, or since a deployment on the clock began."""
        row, spec = self._row, spec_of(self._row)
        if self._feed.is_replay:
            return spec
        if row.started_ts is None:
            raise Invalid(f"deployment {row.id} has not begun yet")
        until = self._clock.now_ms() - SETTLED_MS if row.ended_ts is None else row.ended_ts
        begins, ends = ceil_to(row.started_ts + 1, MINUTE_MS), floor_to(until, MINUTE_MS)
        if ends <= begins:
            raise Invalid(f"deployment {row.id} has not seen enough of its market to be compared yet")
        return msgspec.structs.replace(spec, from_ts=begins, to_ts=ends)

    async def _versions(self, log: Sequence[KeptLog]) -> list[tuple[int, VersionRow]]:
        """The versions of the Skill that it had, each from its instant on."""
        upgrades = [(line.row.ts, line.row.body) for line in log if line.row.event == UPGRADED]
        numbers = [(0, int(upgrades[0][1]["from"]) if upgrades else self._row.skill_number)]
        numbers += [(parse_ts(body["market"]), int(body["to"])) for _, body in upgrades]
        found = []
        async with self._database.as_user(self._row.user_id) as connection:
            for ts, number in numbers:
                version = await find_version(connection, self._row.skill_name, number)
                assert version is not None
                found.append((ts, version))
        if found[-1][1].id != self._row.skill_version_id:
            raise Invalid(
                f"when deployment {self._row.id} went on with another version is not in its log any more, so it can't "
                "be simulated"
            )
        return found

    async def _market(self, skill: Skill, spec: RunSpec) -> tuple[RunSpec, MarketData]:
        archive = StoredNews(self._database.as_worker)
        async with self._database.as_worker() as connection:
            if self._feed.is_replay:
                market, spec = await replayed(connection, skill, spec, archive)
                return spec, market
            return spec, await made_up(connection, self._row.id, skill, spec, self._feed.seed, archive)

    def _extent(self, kept: _Kept, spec: RunSpec, market: MarketData) -> Extent:
        """From when to when there is something to compare."""
        step_ms = market.tape.interval_ms
        if not self._feed.is_replay:
            return of_clock(kept.entries, spec.from_ts, spec.to_ts, step_ms)
        seen = kept.state.feed_ts if kept.state is not None else None
        reached = max([spec.from_ts, seen or 0, *(ts for ts, _ in kept.points)])
        return of_tape(
            kept.entries,
            self._account,
            spec.from_ts,
            spec.to_ts,
            reached,
            step_ms,
            self._row.status.is_over,
        )

    async def _trader(self, skill: Skill, spec: RunSpec, decisions: Sequence[DecisionSnapshot]) -> Trader:
        if (trader := baseline_for(skill, spec.seed)) is not None:
            return trader
        return await recorded_trader(
            self._database,
            self._row.user_id,
            self._row.account_id,
            skill,
            tightest(skill.caps, spec.platform),
            self._provider,
            {decision.tick_ts: decision for decision in decisions},
            is_replayed_history=self._feed.is_replay,
        )

    def _record(self, kept: _Kept, extent: Extent, due: Sequence[int]) -> AccountRecord:
        """The deployment's side, as far as it is compared."""
        return AccountRecord(
            self._account,
            spec_of(self._row).cash,
            extent.entries,
            [one for one in kept.decisions if extent.from_ts <= one.tick_ts < extent.to_ts],
            [(ts, usd) for ts, usd in kept.points if extent.from_ts <= ts <= extent.to_ts],
            due,
        )

    def _around(self, kept: _Kept, extent: Extent, market: MarketData, skill: Skill) -> Circumstances:
        tape = market.tape
        last = (extent.to_ts - tape.start_ts) // tape.interval_ms - 1
        return Circumstances(
            from_ts=extent.from_ts,
            to_ts=extent.to_ts,
            marks={track.symbol: track.marks.close[last] * track.marks.tick for track in tape.tracks},
            interval_ms=tape.interval_ms,
            absences=list(_absences(kept.log, extent.to_ts)),
            keeps_all=skill.baseline is None,
        )


def _absences(log: Iterable[KeptLog], to_ts: int) -> Iterable[Absence]:
    """When no ticks were taken, as its log has it: from one step to the next."""
    away: tuple[int, str] | None = None
    for line in log:
        row = line.row
        if "market" not in row.body or "step" not in row.body:
            continue
        ts = parse_ts(row.body["market"])
        if away is not None:
            yield Absence(away[0], ts, away[1])
        why = _AWAY.get(row.event)
        away = None if why is None else (ts, why)
    if away is not None:
        yield Absence(away[0], to_ts, away[1])
