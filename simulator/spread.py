"""How much a result varies when the model is asked again, and what hiding the market's name does to it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from domain.money import plain
from simulator.record import Beside, Sibling

FIGURES = ("total_return", "net_return", "sharpe", "max_drawdown", "trades")
"""The figures that are compared between the runs of a batch."""


class Band(msgspec.Struct, frozen=True):
    """How a figure lies over several runs. `n` counts those that have it; `deviation` (n − 1) needs two."""

    n: int
    min: float
    median: float
    max: float
    mean: float
    deviation: float | None

    def holds(self, value: float) -> bool:
        """Whether a value lies between the least and the largest."""
        return self.min <= value <= self.max


def sibling(run_id: str, sample: int, seed: int, metrics: Mapping[str, Any]) -> Sibling:
    """One run of a batch, from its metrics as they are kept."""
    names = [name for name in Sibling.__struct_fields__ if name in metrics]
    found = {name: metrics[name] for name in names}
    return msgspec.convert({**found, "run_id": run_id, "sample": sample, "seed": seed}, Sibling, strict=False)


def bands(runs: Sequence[Sibling]) -> dict[str, Band]:
    """How each figure lies over these runs; one that no run has is left out."""
    columns = {name: [value for run in runs if (value := getattr(run, name)) is not None] for name in FIGURES}
    return {name: band_of(values) for name, values in columns.items() if values}


def band_of(figures: Sequence[float]) -> Band:
    """How these figures, one at least, lie."""
    values = np.array(figures, np.float64)
    deviation = float(values.std(ddof=1)) if len(values) > 1 else None
    lowest, middle, highest = (float(np.quantile(values, share)) for share in (0, 0.5, 1))
    return Band(len(values), lowest, middle, highest, float(values.mean()), deviation)


def gap(beside: Beside) -> dict[str, float | None]:
    """What the plain runs have over the masked one: their median less its figure. None where either has none."""
    found = bands(beside.runs)
    return {name: _ahead(found.get(name), getattr(beside.control, name, None)) for name in FIGURES}


def _ahead(plain_runs: Band | None, masked: float | None) -> float | None:
    return None if plain_runs is None or masked is None else plain_runs.median - masked


def verdict(runs: Sequence[Sibling], hold_return: float | None) -> list[str]:
    """Say whether the runs agree on earning something, and on beating buy and hold; nothing of fewer than two.

    Judged by net return, or by total return where the price of one is not known.
    """
    if len(runs) < 2:
        return []
    band = band_of(results(runs))
    told = [
        _agreed(
            band,
            0.0,
            "Zero lies inside the band: whether a run earns or loses is chance.",
            ("earned", "lost", "neither earned nor lost"),
        )
    ]
    if hold_return is not None:
        inside = "Buy and hold lies inside the band: whether a run beats it is chance."
        ways = ("beat buy and hold", "fell behind buy and hold", "came to as much as buy and hold")
        told.append(_agreed(band, hold_return, inside, ways))
    return told


def results(runs: Sequence[Sibling]) -> list[float]:
    """The net return of each run, or the total return of each where the price of one is not known."""
    net = [run.net_return for run in runs if run.net_return is not None]
    return net if len(net) == len(runs) else [run.total_return for run in runs]


def _agreed(band: Band, value: float, inside: str, ways: tuple[str, str, str]) -> str:
    """Say in which of the ways all runs lie (above, below, just there), or else that the value is `inside`."""
    above, below, there = ways
    if band.holds(value) and band.min < band.max:
        return inside
    which = "Both runs" if band.n == 2 else f"All {band.n} runs"
    return f"{which} {there if band.holds(value) else above if band.min > value else below}."


def as_document(beside: Beside) -> dict[str, Any]:
    """The batch for JSON: `runs`, and `control` if there is one; money is text, what is undefined is null."""
    runs = {
        "n": len(beside.runs),
        "metrics": {name: msgspec.structs.asdict(band) for name, band in bands(beside.runs).items()},
        "each": [_plain(run) for run in beside.runs],
    }
    if beside.control is None:
        return {"runs": runs}
    return {"runs": runs, "control": {**_plain(beside.control), "gap": gap(beside)}}


def _plain(run: Sibling) -> dict[str, Any]:
    return {
        name: plain(value) if isinstance(value, Decimal) else value
        for name, value in msgspec.structs.asdict(run).items()
    }
