"""The other runs of a batch: where their results lie, each of them, and the one to which names were hidden."""

from collections.abc import Sequence

import msgspec

from simulator.metrics import Metrics
from simulator.record import Beside, RunRecord, Sibling
from simulator.report import words
from simulator.spread import Band, band_of, bands, gap, results, verdict

MOST_RUNS = 20
"""How many runs are listed one by one."""

ROOM = 0.06
"""The share of the strip that stays free on either side."""

NEAR_EDGE = 20
"""How near to an end of the strip, in percent, a label stands to one side of its place."""

NAMES = {
    "net_return": "Net return",
    "total_return": "Total return",
    "sharpe": "Sharpe",
    "max_drawdown": "Max drawdown",
    "trades": "Closed trades",
}
"""The figures of a batch in the order they are shown."""


class Dot(msgspec.Struct, frozen=True):
    """One run on the strip: where, in percent, what it came to, and whether it is the one of this report."""

    at: float
    title: str
    is_own: bool


class Label(msgspec.Struct, frozen=True):
    """A named place on the strip; its text stands so that it stays inside."""

    at: float
    text: str
    anchor: str


class Strip(msgspec.Struct, frozen=True):
    """The runs on one line, by their net or total return. `low` and `width` are the band's, in percent."""

    name: str
    low: float
    width: float
    dots: tuple[Dot, ...]
    median: Label
    zero: Label
    hold: Label | None
    sentence: str


class Row(msgspec.Struct, frozen=True):
    """A name and a text for each column."""

    name: str
    values: tuple[str, ...]
    is_own: bool = False


class Batch(msgspec.Struct, frozen=True):
    """What the page says of a batch. `strip` needs two runs, `control` a masked one."""

    count: int
    strip: Strip | None
    figures: tuple[Row, ...]
    each: tuple[Row, ...]
    more: int
    verdict: str
    control: tuple[Row, ...]
    control_note: str


def batch(record: RunRecord, metrics: Metrics) -> Batch | None:
    """Lay out the batch; None for a run that stands alone."""
    beside = record.beside
    if beside is None or not beside.runs or (len(beside.runs) < 2 and beside.control is None):
        return None
    runs = beside.runs
    found = bands(runs)
    return Batch(
        count=len(runs),
        strip=_strip(record.run_id, runs, _hold(metrics)) if len(runs) > 1 else None,
        figures=tuple(_figure(name, found[name], len(runs)) for name in NAMES if name in found),
        each=tuple(_run(run, is_own=run.run_id == record.run_id) for run in runs[:MOST_RUNS]),
        more=max(0, len(runs) - MOST_RUNS),
        verdict=" ".join(verdict(runs, _hold(metrics))),
        control=tuple(_control(beside)) if beside.control else (),
        control_note="" if len(runs) == 1 else f"Plain is the median of {len(runs)} runs.",
    )


def _hold(metrics: Metrics) -> float | None:
    hold = metrics.baselines.get("buy-and-hold")
    return None if hold is None else hold.total_return


def _write(name: str, value: float | None) -> str:
    """A figure of a run; net returns are unknown rather than undefined."""
    if value is None:
        return words.UNKNOWN if name == "net_return" else words.UNDEFINED
    if name == "trades":
        return words.number(value, 0 if value == int(value) else 1)
    return words.number(value) if name == "sharpe" else words.percent(value)


def _figure(name: str, band: Band, count: int) -> Row:
    """A figure's band; that some runs lack it is said in its name."""
    of = "" if band.n == count else f", {band.n} of {words.plural(count, 'run')}"
    return Row(f"{NAMES[name]}{of}", _band(name, band))


def _band(name: str, band: Band) -> tuple[str, ...]:
    texts = [_write(name, value) for value in (band.min, band.median, band.max, band.mean)]
    if name in ("sharpe", "trades") or band.deviation is None:
        return (*texts, words.number(band.deviation))
    return (*texts, words.number(band.deviation * 100) + " pp")


def _run(run: Sibling, *, is_own: bool) -> Row:
    cost = words.UNKNOWN if run.inference_cost is None else words.inference(run.inference_cost)
    name = f"{run.sample + 1} · this one" if is_own else f"{run.sample + 1}"
    return Row(name, (*(_write(each, getattr(run, each)) for each in NAMES), cost), is_own)


def _control(beside: Beside) -> list[Row]:
    """Each figure of the plain runs, of the masked one, and the gap between them."""
    plain, gaps = bands(beside.runs), gap(beside)
    return [
        Row(
            NAMES[name],
            (
                _write(name, plain[name].median if name in plain else None),
                _write(name, getattr(beside.control, name)),
                _gap(name, gaps[name]),
            ),
        )
        for name in NAMES
    ]


def _gap(name: str, value: float | None) -> str:
    if value is None:
        return _write(name, None)
    if name in ("sharpe", "trades"):
        return words.number(value, 2 if name == "sharpe" else 0 if value == int(value) else 1, signed=True)
    return words.points(value)


def _strip(own: str, runs: Sequence[Sibling], hold: float | None) -> Strip:
    """Results from left to right, with 0 and buy and hold among them."""
    came_to = results(runs)
    band = band_of(came_to)
    ends = [0.0, *came_to, *([] if hold is None else [hold])]
    low, high = min(ends), max(ends)

    def at(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return round(100 * (ROOM + share * (1 - 2 * ROOM)), 2)

    def label(value: float, text: str) -> Label:
        place = at(value)
        return Label(
            place, text, "start" if place < NEAR_EDGE else "end" if place > 100 - NEAR_EDGE else "middle"
        )

    name = "Total return" if any(run.net_return is None for run in runs) else "Net return"
    reach = f"{words.percent(band.min, 1)} to {words.percent(band.max, 1)}"
    median = f"median {words.percent(band.median, 1)}"
    return Strip(
        name=name,
        low=at(band.min),
        width=round(at(band.max) - at(band.min), 2),
        dots=tuple(_dots(own, runs, came_to, [at(value) for value in came_to])),
        median=label(band.median, median),
        zero=label(0.0, "0%"),
        hold=None if hold is None else label(hold, f"hold {words.percent(hold, 1)}"),
        sentence=f"{name} of {len(runs)} runs: {reach}, {median}",
    )


def _dots(own: str, runs: Sequence[Sibling], results: Sequence[float], places: Sequence[float]) -> list[Dot]:
    """The runs, this one last, so that no other lies on it."""
    dots = [
        Dot(place, f"Run {run.sample + 1}: {words.percent(result)}", run.run_id == own)
        for run, result, place in zip(runs, results, places, strict=True)
    ]
    return sorted(dots, key=lambda dot: dot.is_own)
