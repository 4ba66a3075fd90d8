"""What a comparison comes to: figures, the causes in dollars, and what differed one by one."""

from decimal import Decimal

import msgspec

from simulator.parity.causes import Cause

MOST_SHOWN = 200
"""How many differences, and how many ticks, are listed one by one; all are counted."""


class Difference(msgspec.Struct, frozen=True):
    """One thing that differed. `usd` is by how much the deployment is worth more for it."""

    ts: int
    symbol: str
    cause: Cause
    usd: Decimal
    text: str


class Part(msgspec.Struct, frozen=True):
    """All that is put down to one cause."""

    cause: Cause
    usd: Decimal
    count: int


class Figures(msgspec.Struct, frozen=True):
    """What one side came to, in USD."""

    equity: Decimal
    fills: int
    fees: Decimal
    funding: Decimal
    refused: int


class TickDifference(msgspec.Struct, frozen=True):
    """A tick at which other things were done, or were refused on one side alone."""

    tick_ts: int
    deployment: str
    simulation: str
    why: str


class Ticks(msgspec.Struct, frozen=True):
    """How the ticks that were due compare: `missing` were not taken by the deployment."""

    due: int
    same: int
    different: int
    missing: int
    refused_otherwise: int
    listed: tuple[TickDifference, ...] = ()


class Fills(msgspec.Struct, frozen=True):
    """How the orders that were filled compare. `bps` is what the deployment's prices were worse by, on average.

    It is None where nothing was filled on both sides.
    """

    both: int
    only_deployment: int
    only_simulation: int
    bps: float | None


class Parity(msgspec.Struct, frozen=True):
    """A deployment beside its simulation over [from, to) in UTC ms. The parts add up to the divergence, to the cent."""

    from_ts: int
    to_ts: int
    start_usd: Decimal
    deployment: Figures
    simulation: Figures
    ticks: Ticks
    fills: Fills
    parts: tuple[Part, ...]
    differences: tuple[Difference, ...]
    equity: tuple[tuple[int, Decimal, Decimal], ...]
    """Points: the instant, the deployment's equity, the simulation's."""
    widest_usd: Decimal
    """The largest distance between the two at any of the points."""

    @property
    def divergence_usd(self) -> Decimal:
        """By how much the deployment is worth more than the simulation, at the end."""
        return self.deployment.equity - self.simulation.equity

    @property
    def divergence_bps(self) -> float:
        """The same in hundredths of a percent of what the account began with."""
        return float(self.divergence_usd / self.start_usd * 10_000)

    @property
    def is_exact(self) -> bool:
        """Whether nothing at all differs."""
        ticks, fills = self.ticks, self.fills
        of_ticks = ticks.different or ticks.missing or ticks.refused_otherwise
        of_fills = fills.only_deployment or fills.only_simulation or self.differences
        return not (of_ticks or of_fills or self.divergence_usd or self.widest_usd)
