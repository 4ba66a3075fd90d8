"""What runs and deployments are both asked for, held to its bounds before anything is kept."""

from decimal import Decimal

from agent.provider import Provider
from control.errors import Invalid
from domain.money import truncate_usd
from skills.check import PROVIDER
from skills.skill import Skill

LARGEST_CASH = Decimal(10) ** 9
SMALLEST_CASH = Decimal(10)
LARGEST_SEED = 2**63 - 1


def check_cash(cash: Decimal) -> None:
    """See that an account can begin with this, in USD. Raises Invalid."""
    if not (cash.is_finite() and SMALLEST_CASH <= cash <= LARGEST_CASH):
        raise Invalid(f"--cash must be {SMALLEST_CASH} to {LARGEST_CASH:,.0f} USD, was {cash}")
    if cash != truncate_usd(cash):
        raise Invalid(f"--cash must be in whole millionths of a dollar, was {cash}")


def check_seed(seed: int, largest: int = LARGEST_SEED) -> None:
    """See that a seed is one. Raises Invalid."""
    if seed < 0:
        raise Invalid(f"--seed must be 0 or more, was {seed}")
    if seed > largest:
        raise Invalid(f"--seed must be at most {largest}, was {seed}")


def check_model(skill: Skill, provider: Provider, *, needs_key: bool) -> None:
    """See that there is somebody to decide. Raises Invalid."""
    if skill.baseline is not None:
        return
    name = skill.model.partition(":")[0]
    if name != PROVIDER:
        raise Invalid(
            f"{skill.name} is decided by {skill.model}; {name} is no provider here, write anthropic:NAME"
        )
    if needs_key and provider.open_door is None:
        raise Invalid(provider.missing)
