"""What a run is asked to do. With a Skill version and the market's data it decides every byte of the result."""

from decimal import Decimal
from typing import Any, Literal

import msgspec

from brokers.paper.costs import FREE_OF_MARKET, Costs
from domain.caps import LOOSEST, Caps

DEFAULT_CASH = Decimal(10_000)


Mode = Literal["live", "record", "replay"]


class SimulationError(ValueError):
    """A run that can't be made, in one line: what was found, what was expected, what to do."""


class RunSpec(msgspec.Struct, frozen=True):
    """One run's settings. The range is [from, to) in UTC ms; `cash` is USD.

    `costs` "none" takes spread, impact, participation, rounding and slippage bounds away; fees stay.
    `execution_interval` None chooses the finest that covers every symbol. `platform` are the caps that tightened every
    Skill's when the run was asked for. `cutoff_ts` is the first instant that the Skill's model surely knows nothing of:
    0 for a baseline, None where it is not known.

    `sample` tells runs apart that ask a model the same; `mask` hides names, dates and price levels. `mode` says where
    a model's outputs come from, `origin` whose record is replayed ("" is one's own, else a bundle's digest), and
    `of_run` is the run that is replayed, with its own answers and tools, where it is a certain one. These three change
    nothing about a result, so they are not in its manifest.
    """

    from_ts: int
    to_ts: int
    cash: Decimal = DEFAULT_CASH
    costs: Literal["default", "none"] = "default"
    funding: bool = True
    seed: int = 0
    execution_interval: str | None = None
    platform: Caps = LOOSEST
    cutoff_ts: int | None = 0
    sample: int = 0
    mask: bool = False
    mode: Mode = "record"
    origin: str = ""
    of_run: str = ""

    @property
    def cost_model(self) -> Costs:
        """The venue's costs."""
        return FREE_OF_MARKET if self.costs == "none" else Costs()


def to_config(spec: RunSpec) -> dict[str, Any]:
    """A spec as it is kept with its run."""
    config: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(spec))
    return config


def from_config(config: dict[str, Any]) -> RunSpec:
    """A spec as it was kept."""
    return msgspec.convert(config, RunSpec, strict=False)
