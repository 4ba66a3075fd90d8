"""What thinking may take: the seconds of a tick, and the money of a call, a tick, a run and a day."""

from decimal import Decimal

import msgspec

from domain.inference import Budget
from domain.money import ZERO
from domain.time import iso

_TOMORROW = "raise AGENTIC_INFERENCE_USD_PER{}_DAY, or wait for the next day (UTC)"


class Patience:
    """The seconds that a tick may still spend on calls, pauses and outside tools. Waiting for a turn is not counted.

    `lost_usd` is what the tick has paid beside what its calls are recorded to have cost.
    """

    def __init__(self, seconds: float) -> None:
        self.left_s = seconds
        self.lost_usd = ZERO

    def spend(self, seconds: float) -> None:
        """Take away what was spent."""
        self.left_s -= seconds


class Allowance(msgspec.Struct, frozen=True):
    """What thinking may cost, in USD: one call, one tick, then the budgets that are shared and kept.

    `run` is the budget of a simulation; `deployment` names a deployment, which has a budget of its own for each day.
    The others are a person's day's and the whole installation's. Days are UTC.
    """

    per_call_usd: Decimal
    per_tick_usd: Decimal
    per_user_day_usd: Decimal
    per_day_usd: Decimal
    run: Budget | None = None
    deployment: str = ""
    per_deployment_day_usd: Decimal = ZERO

    def budgets(self, now_ms: int) -> list[Budget]:
        """The budgets that a call made now has to fit in."""
        day = iso(now_ms)[:10]
        own = [] if self.run is None else [self.run]
        if self.deployment:
            scope = f"deployment:{self.deployment}:{day}"
            own.append(Budget(scope, self.per_deployment_day_usd, "the deployment's day"))
        days = [
            Budget(f"day:{day}", self.per_user_day_usd, "your day", _TOMORROW.format("_USER")),
            Budget(f"all:{day}", self.per_day_usd, "the day, of all people together", _TOMORROW.format("")),
        ]
        return own + days
