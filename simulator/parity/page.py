"""The comparison as one HTML file, in the look of a run's report: it loads nothing and escapes what it shows."""

from typing import Any

import msgspec
import numpy as np

from domain.bars import Floats
from domain.time import iso
from simulator.parity.causes import IN_WORDS
from simulator.parity.report import Difference, Fills, Parity
from simulator.report import words
from simulator.report.axes import BOX, Tick, TimeScale, scale_for, tag_label, value_ticks
from simulator.report.charts import SAMPLES
from simulator.report.document import assets, environment
from simulator.report.headline import Figure, Notice
from simulator.report.panes import (
    DRAWDOWN_PX,
    EQUITY_PX,
    Line,
    Pane,
    clear_of,
    path_of,
    spread,
    stands_low,
)

AT_ONCE = 12
"""How many ticks and differences are shown before one asks for more."""


class About(msgspec.Struct, frozen=True):
    """Which deployment is compared. `off_record` counts ticks at which its model was asked something else."""

    skill: str
    version: int
    model: str
    deployment_id: str
    feed: str
    is_synthetic: bool
    warnings: tuple[str, ...] = ()
    off_record: int = 0


class Chart(msgspec.Struct, frozen=True):
    """Both accounts, and below them how far they are apart; what that is in a sentence; what the crosshair reads."""

    panes: tuple[Pane, ...]
    ticks: tuple[Tick, ...]
    sentence: str
    samples: dict[str, Any]
    before: float = 0.0


def render(found: Parity, about: About) -> str:
    """Write a comparison as one self-contained HTML document."""
    page: str = (
        environment()
        .get_template("parity.html")
        .render(
            about=about,
            found=found,
            assets=assets(),
            title=f"{about.skill} v{about.version} beside its simulation",
            period=f"{iso(found.from_ts)} to {iso(found.to_ts)}",
            notices=_notices(found, about),
            figures=_figures(found),
            chart=_chart(found) if len(found.equity) > 1 else None,
            sides=_sides(found),
            differences=that_count(found),
            causes=IN_WORDS,
            at_once=AT_ONCE,
            words=words,
        )
    )
    return page


def headline(found: Parity) -> str:
    """The whole result in a sentence."""
    if found.is_exact:
        ticks, fills = words.plural(found.ticks.due, "tick"), words.plural(found.fills.both, "filled order")
        return f"No difference: {ticks}, {fills}, and every cent."
    if not found.divergence_usd:
        return "The deployment is worth what its simulation is, though they did not do the same."
    usd = words.dollars(abs(found.divergence_usd))
    bps = words.number(abs(found.divergence_bps))
    where = "above" if found.divergence_usd > 0 else "below"
    return f"The deployment is {usd} {where} its simulation, {bps} bps of what it began with."


def prices_in_words(fills: Fills) -> str:
    """How much better or worse the deployment's prices were; "" where there is nothing to say."""
    bps = words.number(abs(fills.bps or 0))
    if bps == words.number(0):
        return ""
    return f"at prices {bps} bps {'worse' if (fills.bps or 0) > 0 else 'better'} than simulated"


def that_count(found: Parity) -> list[Difference]:
    """The differences that come to a cent or more, the largest first."""
    return [one for one in found.differences if words.tone(one.usd)]


def _notices(found: Parity, about: About) -> list[Notice]:
    strong, _, rest = headline(found).partition(": ")
    notices = [Notice("done" if found.is_exact else "info", strong + (":" if rest else ""), rest)]
    if about.is_synthetic:
        text = "A program made them up as time passed: the result says nothing about a market."
        notices.append(Notice("warn", "The prices are made up.", text))
    if about.off_record:
        text = "There the model would have been shown another account than it was, so its recorded actions are taken."
        notices.append(Notice("info", f"{words.plural(about.off_record, 'tick')} off the record.", text))
    return notices + [Notice("warn", "", text) for text in about.warnings]


def _figures(found: Parity) -> list[Figure]:
    ours, theirs, ticks, fills = found.deployment, found.simulation, found.ticks, found.fills
    filled = fills.both + fills.only_deployment + fills.only_simulation
    bps = words.number(found.divergence_bps, signed=True)
    shown = [
        ("Difference", words.dollars(found.divergence_usd, signed=True), f"{bps} bps of the start"),
        ("Deployment", words.dollars(ours.equity), "equity at the end"),
        ("Simulation", words.dollars(theirs.equity), "equity at the end"),
        ("Widest apart", words.dollars(found.widest_usd), "at any point"),
        ("Ticks the same", f"{ticks.same:,} of {ticks.due:,}", ""),
        ("Filled on both sides", f"{fills.both:,} of {filled:,}", prices_in_words(fills)),
    ]
    tone = words.tone(found.divergence_usd)
    return [
        Figure(name, value, tone if place == 0 else "", (note,) if note else ())
        for place, (name, value, note) in enumerate(shown)
    ]


def _sides(found: Parity) -> list[tuple[str, str, str, str]]:
    """A figure of the deployment, the same of the simulation, and what lies between."""
    ours, theirs = found.deployment, found.simulation
    money = [("Equity, USD", "equity"), ("Fees, USD", "fees"), ("Funding, USD", "funding")]
    counts = [("Fills", "fills"), ("Refused", "refused")]
    rows = []
    for names, places in ((money, 2), (counts, 0)):
        for label, name in names:
            one, other = getattr(ours, name), getattr(theirs, name)
            between = words.number(one - other, places, signed=True)
            rows.append((label, words.number(one, places), words.number(other, places), between))
    return rows


def _chart(found: Parity) -> Chart:
    ts = np.array([point[0] for point in found.equity], np.int64)
    ours, theirs = (np.array([float(point[side]) for point in found.equity]) for side in (1, 2))
    apart = np.array([float(one - other) for _, one, other in found.equity])
    time = TimeScale(int(ts[0]), int(ts[-1]))
    scale = scale_for([ours, theirs])
    tags = spread(
        [
            (scale.at(float(line[-1])), tag_label(float(line[-1])), kind)
            for line, kind in _tagged(ours, theirs)
        ],
        EQUITY_PX,
    )
    equity = Pane(
        "Equity, USD" + (", log scale" if scale.is_log else ""),
        EQUITY_PX,
        clear_of(value_ticks(scale, 8), tags, EQUITY_PX),
        (
            Line("ln ln--base", path_of(ts, theirs, time, scale)),
            Line("ln ln--eq", path_of(ts, ours, time, scale)),
        ),
        tuple(tags),
        name_is_low=stands_low([ours, theirs], scale, EQUITY_PX),
    )
    return Chart(
        panes=(equity, _apart(ts, apart, time)),
        ticks=tuple(time.ticks()),
        sentence=f"Equity of the deployment and of its simulation, {words.dollars(found.widest_usd)} apart at most, "
        f"{words.dollars(abs(found.divergence_usd))} at the end",
        samples=_samples(ts, ours, theirs, apart, time),
    )


def _tagged(ours: Floats, theirs: Floats) -> list[tuple[Floats, str]]:
    """The lines whose last values are named: one where both end in the same place."""
    both = [(ours, "eq"), (theirs, "line")]
    return both if tag_label(float(ours[-1])) != tag_label(float(theirs[-1])) else both[:1]


def _apart(ts: Any, apart: Floats, time: TimeScale) -> Pane:
    """How much more the deployment is worth, around a line at nothing."""
    scale = scale_for([apart, np.zeros(1)], may_be_log=False)
    level = round(scale.at(0.0), 1)
    lines = [Line("ln ln--flat", f"M0 {level}H{BOX}")]
    if apart.any():
        lines.append(Line("ln ln--ink", path_of(ts, apart, time, scale)))
    low = stands_low([apart], scale, DRAWDOWN_PX)
    ticks = tuple(value_ticks(scale, 3))
    return Pane("Deployment less simulation, USD", DRAWDOWN_PX, ticks, tuple(lines), name_is_low=low)


def _samples(ts: Any, ours: Floats, theirs: Floats, apart: Floats, time: TimeScale) -> dict[str, Any]:
    """What the crosshair reads: instants, their place, and a column of texts for each line."""
    places = np.unique(np.linspace(0, len(ts) - 1, SAMPLES).astype(np.int64))
    columns = {"deployment": ours, "simulation": theirs}
    texts = {name: [words.number(value) for value in line[places].tolist()] for name, line in columns.items()}
    texts["apart"] = [words.number(value, signed=True) for value in apart[places].tolist()]
    at = np.round(time.all_at(ts[places]) / BOX, 4).tolist()
    return {"at": at, "time": [words.minute(one) for one in ts[places].tolist()], "columns": texts}
