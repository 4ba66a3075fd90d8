"""A model's deployment decided again from its record: what it was answered, and where that fails, what it did."""

from collections.abc import Mapping
from uuid import UUID

from agent.asking import Stop
from agent.baselines import Trader
from agent.language import LanguageTrader
from agent.outside import NotApproved, Outside, pins_of
from agent.provider import Provider
from agent.tick import Tick
from db.mcp_tools import approved_tools
from db.pool import Database
from domain.caps import Caps
from domain.snapshots import DecisionSnapshot
from simulator.answered import LedgerOfRun, answered_in
from skills.skill import Skill


class AsRecorded:
    """Decides as a deployment did at the same ticks, and does nothing at any other.

    `thinker` is shown the tick as the simulator has it and answered from the record. Where it asks what is not in the
    record, because the account is not what it was, the recorded actions are taken as they are; `off_record` has those
    ticks.
    """

    def __init__(self, decisions: Mapping[int, DecisionSnapshot], thinker: Trader | None) -> None:
        self._decisions = decisions
        self._thinker = thinker
        self.off_record: list[int] = []

    async def decide(self, tick: Tick) -> None:
        """Do what was done."""
        recorded = self._decisions.get(tick.ts)
        if recorded is None or await self._thinks(tick, recorded):
            return
        for action in recorded.actions[len(tick.actions) :]:
            await tick.act(action)
        tick.calls, tick.note, tick.ended = list(recorded.calls), recorded.note, recorded.ended

    async def _thinks(self, tick: Tick, recorded: DecisionSnapshot) -> bool:
        """Whether the record answered all that was asked; one that was cut short asks once more than that."""
        if self._thinker is None or not recorded.calls:
            return False
        try:
            await self._thinker.decide(tick)
        except Stop:
            if not recorded.was_cut_short or len(tick.calls) < len(recorded.calls):
                self.off_record.append(tick.ts)
            return False
        return True


async def recorded_trader(
    database: Database,
    user_id: UUID,
    account_id: UUID,
    skill: Skill,
    caps: Caps,
    provider: Provider,
    decisions: Mapping[int, DecisionSnapshot],
    *,
    is_replayed_history: bool,
) -> AsRecorded:
    """Who decides in the place of a model, with the answers that a deployment was given and no others."""
    async with database.as_worker() as connection:
        approved = await approved_tools(connection, user_id)
        try:
            pins = pins_of(skill.tools, approved)
        except NotApproved:  # taken back since: what was done is known all the same
            return AsRecorded(decisions, None)
        found = await answered_in(connection, user_id, account_id, "", pins)
    ledger = LedgerOfRun(database, user_id, found, origin="")
    outside = Outside(pins, None, ledger, "replay", is_replayed_history=is_replayed_history)
    asker = provider.asker(skill, ledger, None, mode="replay")
    thinker = LanguageTrader(skill, caps, provider.facts(skill), asker, outside if pins else None)
    return AsRecorded(decisions, thinker)
