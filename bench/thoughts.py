"""What the thinking came to: two tables, and the lines that must hold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.measure import middle
from bench.tables import markdown
from bench.thinking import ALL_TICKS, BARE_HTTP, LATENCY_MS, RECORDED, SIDE_BY_SIDE, Thought
from bench.verdicts import Goal

MOST_OF_LATENCY, MOST_OF_ONE = 1.03, 1.25
MOST_BESIDES_MS = LATENCY_MS * (MOST_OF_LATENCY - 1)

_Key = tuple[str, int]  # name, runs


def thinking_tables(thoughts: Sequence[Thought]) -> str:
    """Show what a tick takes besides the model, and how a run beside a slow model does."""
    at_once = [thought for thought in thoughts if not thought.latency_ms]
    late = [thought for thought in thoughts if thought.latency_ms]
    parts = ["### Thinking: the model answers at once", _at_once_table(at_once)] if at_once else []
    if late:
        parts += [f"### Thinking: the model takes {LATENCY_MS} ms", _late_table(late)]
    return "\n\n".join(parts)


def thinking_goals(thoughts: Sequence[Thought]) -> list[Goal]:
    """Judge the lines that these measurements can tell of."""
    late = _by_key(thought for thought in thoughts if thought.latency_ms)
    took = {key: wall_s for key, own in late.items() if (wall_s := _whole_s(own)) is not None}
    found = []
    if besides := _besides_ms(thoughts):
        found.append(
            Goal(
                "a tick without its model, median",
                f"≤ {MOST_BESIDES_MS:g} ms",
                f"{besides:.1f} ms",
                besides <= MOST_BESIDES_MS,
            )
        )
    one, many = took.get((RECORDED, 1)), took.get((RECORDED, SIDE_BY_SIDE))
    if one:
        found.append(
            _ratio(
                f"{ALL_TICKS:,} ticks over {ALL_TICKS:,} × {LATENCY_MS} ms", one / _LATENCY_S, MOST_OF_LATENCY
            )
        )
    if one and many:
        found.append(_ratio(f"{SIDE_BY_SIDE} runs side by side over one", many / one, MOST_OF_ONE))
    return found


_LATENCY_S = ALL_TICKS * LATENCY_MS / 1_000


def _ratio(what: str, ratio: float, most: float) -> Goal:
    return Goal(what, f"≤ {most} ×", f"{ratio:.3f} ×", ratio <= most, must_hold=True)


@dataclass(frozen=True, slots=True)
class _Process:
    """Medians over the rounds of whole processes."""

    wall: str
    cpu_s: float
    peak_mb: float

    @classmethod
    def of(cls, own: Sequence[Thought]) -> "_Process":
        usual, least, most = middle([thought.process.wall_s for thought in own])
        cpu_s = middle([thought.process.cpu_s for thought in own])[0]
        peak_mb = middle([thought.process.peak_mb for thought in own])[0]
        return cls(f"{usual:.2f} ({least:.2f}–{most:.2f})", cpu_s, peak_mb)


def _at_once_table(thoughts: Sequence[Thought]) -> str:
    head = ["", "ticks or calls", "p50, ms", "p99, ms", "in the loop, 1/s", "process, s", "CPU, s", "peak MB"]
    return markdown(head, [_at_once_row(own) for own in _by_key(thoughts).values()])


def _at_once_row(own: Sequence[Thought]) -> list[str]:
    rate, least, most = middle([thought.ticks / thought.loop_s for thought in own])
    process = _Process.of(own)
    return [
        own[0].name,
        f"{own[0].ticks:,}",
        _shown([thought.p50_ms for thought in own]),
        _shown([thought.p99_ms for thought in own]),
        f"{rate:,.0f} ({least:,.0f}–{most:,.0f})",
        process.wall,
        f"{process.cpu_s:.2f}",
        f"{process.peak_mb:,.0f}",
    ]


def _shown(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return "{:.1f} ({:.1f}–{:.1f})".format(*middle(known)) if known else "–"


def _late_table(thoughts: Sequence[Thought]) -> str:
    head = [
        "",
        "ticks of each",
        "process, s",
        f"for {ALL_TICKS:,} ticks, s",
        f"× {ALL_TICKS:,} × {LATENCY_MS} ms",
        "CPU, s",
        "peak MB",
    ]
    return markdown(head, [_late_row(own) for own in _by_key(thoughts).values()])


def _late_row(own: Sequence[Thought]) -> list[str]:
    longest = _longest(own)
    process, whole_s = _Process.of(longest), _whole_s(own)
    ran = own[0]
    return [
        ran.name if ran.runs == 1 else f"{ran.name} --runs {ran.runs}",
        f"{longest[0].ticks:,}",
        process.wall,
        "–" if whole_s is None else f"{whole_s:.1f}",
        "–" if whole_s is None else f"{whole_s / _LATENCY_S:.3f}",
        f"{process.cpu_s:.2f}",
        f"{process.peak_mb:,.0f}",
    ]


def _by_key(thoughts: Iterable[Thought]) -> dict[_Key, list[Thought]]:
    found: dict[_Key, list[Thought]] = {}
    for thought in thoughts:
        found.setdefault((thought.name, thought.runs), []).append(thought)
    return found


def _longest(own: Sequence[Thought]) -> list[Thought]:
    most = max(thought.ticks for thought in own)
    return [thought for thought in own if thought.ticks == most]


def _whole_s(own: Sequence[Thought]) -> float | None:
    """The seconds of a process of 1,000 ticks, worked out from one with few and one with many; None without both.

    It is what was measured, where the 1,000 were.
    """
    (few, few_s), (many, many_s) = (
        (ticks, middle([thought.process.wall_s for thought in own if thought.ticks == ticks])[0])
        for ticks in (pick(thought.ticks for thought in own) for pick in (min, max))
    )
    return few_s + (many_s - few_s) / (many - few) * (ALL_TICKS - few) if few < many else None


def _besides_ms(thoughts: Sequence[Thought]) -> float | None:
    """A tick's median less that of a bare call, which is the time of the stand-in."""
    at_once = _by_key(thought for thought in thoughts if not thought.latency_ms)
    tick, bare = (
        [thought.p50_ms for thought in at_once.get((name, 1), ()) if thought.p50_ms is not None]
        for name in (RECORDED, BARE_HTTP)
    )
    return middle(tick)[0] - middle(bare)[0] if tick and bare else None
