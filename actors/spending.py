"""How much of the budgets for thinking is used, looked at after each tick that thought."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

import msgspec

from db.inference import spent
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
    found = []
    async with database.as_worker() as connection:
        for budget in budgets:
            used = Used(
                budget,
                await spent(connection, user_id, budget.scope),
                is_used_up=refused_by is not None and budget.scope == refused_by.scope,
            )
            if used.is_used_up or used.spent_usd >= NEARLY * budget.limit_usd:
                found.append(used)
    return tuple(found)
