"""How much of the budgets for thinking is used, looked at after each tick that thought."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

import msgspec

from db.inference import spent_in
from db.pool import Database
from domain.inference import Budget

NEARLY = Decimal("0.8")
"""The part of a budget at which its person is told."""


class Used(msgspec.Struct, frozen=True):
    """A budget of which so much is spent, or set aside. `is_used_up`: it did not allow for another call."""

    budget: Budget
    spent_usd: Decimal
    is_used_up: bool = False


async def nearly_used(
    database: Database, user_id: UUID, budgets: Sequence[Budget], refused_by: Budget | None
) -> tuple[Used, ...]:
    """Give those of the budgets that are nearly used, or more; `refused_by` is one that did not allow for a call."""
    async with database.as_worker_once() as connection:
        spent = await spent_in(connection, user_id, [budget.scope for budget in budgets])
    refused = None if refused_by is None else refused_by.scope
    used = [Used(budget, spent[budget.scope], budget.scope == refused) for budget in budgets]
    return tuple(one for one in used if one.is_used_up or one.spent_usd >= NEARLY * one.budget.limit_usd)
