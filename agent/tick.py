"""One tick of a Skill: the only hands and eyes of whoever decides, be it a baseline or a model.

Reads show the market as it was known at the tick's instant, and the account as it stood when the tick opened with
this tick's own intents. What is done goes to the engine, and its verdict comes back.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from agent.port import EnginePort
from domain.account import FLAT, Position
from domain.actions import Action
from domain.ids import decision_id
from domain.inference import Memo, ModelCall
from domain.money import canonical
from domain.orders import Order
from domain.snapshots import AccountView, TickOutcome
from domain.verdicts import Verdict
from engine.used import Used
from market.history import BarsView, Past
from skills.skill import Skill


class Tick:
    """What may be seen and done at `ts` (UTC ms). Everything done is kept, with its verdict, in order.

    `memos` are the decisions before it. A model's tick also keeps what it was shown (`context`), what it said (`calls`)
    and how it ended: `note` in words, `ended` in one word where something else than the model ended it, `failed` where
    that was a fault.
    """

    __slots__ = (
        "_account",
        "_account_name",
        "_engine",
        "actions",
        "calls",
        "context",
        "ended",
        "failed",
        "memos",
        "note",
        "past",
        "positions",
        "skill",
        "ts",
        "verdicts",
    )

    def __init__(
        self, skill: Skill, engine: EnginePort, past: Past, account_name: str, memos: Sequence[Memo] = ()
    ) -> None:
        self.skill = skill
        self.memos = memos
        self.past = past
        self.ts = past.ts
        self.positions: Mapping[str, Position] = engine.book.positions
        self.actions: list[Action] = []
        self.verdicts: list[Verdict] = []
        self.calls: list[ModelCall] = []
        self.context = ""
        self.note = ""
        self.ended = ""
        self.failed = False
        self._engine = engine
        self._account_name = account_name
        self._account: AccountView | None = None

    # What is seen.

    def bars(self, symbol: str) -> BarsView:
        """The closed bars of one of the Skill's symbols. Raises KeyError for another."""
        return self.past.bars(symbol)

    def held(self, symbol: str) -> Decimal:
        """The signed size held when the tick opened, in base units."""
        return self.positions.get(symbol, FLAT).size

    @property
    def decision(self) -> str:
        """The id of this tick's decision: the same whenever the tick is taken again."""
        return decision_id(self._account_name, self.ts)

    @property
    def account(self) -> AccountView:
        """Cash, equity and sizes when the tick opened."""
        if self._account is None:
            self._account = _canonical(self._engine.account(self.ts))
        return self._account

    @property
    def orders(self) -> Mapping[int, Order]:
        """The live orders by number, this tick's own intents among them."""
        return self._engine.book.orders

    @property
    def is_halted(self) -> bool:
        """Whether only reducing orders are taken."""
        return self._engine.is_halted

    @property
    def has_traded(self) -> bool:
        """Whether the account ever had a fill."""
        return self._engine.book.fills > 0

    @property
    def used(self) -> Used:
        """How much of its caps the account uses now."""
        return self._engine.used(self.ts)

    def mark(self, symbol: str) -> Decimal | None:
        """The mark at the tick, in USD; None when there is no fresh one."""
        return self._engine.mark(symbol)

    # What is done.

    async def act(self, action: Action) -> Verdict:
        """Propose an action to the engine and give its verdict."""
        _ = self.account  # as it was before anything was done
        index = len(self.actions)
        verdict = await self._engine.submit(action, ts=self.ts, decision=self.decision, index=index)
        self.actions.append(action)
        self.verdicts.append(verdict)
        return verdict

    @property
    def outcome(self) -> TickOutcome:
        """How the tick ended: acted, else failed, else did nothing but be refused, else held."""
        if any(verdict.approved for verdict in self.verdicts):
            return TickOutcome.ACTED
        if self.failed:
            return TickOutcome.FAILED
        return TickOutcome.REFUSED if self.actions else TickOutcome.HOLD


def _canonical(account: AccountView) -> AccountView:
    """An account without trailing zeros, whose number depends on how finely the venue keeps prices of later bars."""
    return AccountView(
        account.ts,
        canonical(account.cash),
        canonical(account.equity),
        {symbol: canonical(size) for symbol, size in account.positions.items()},
    )
