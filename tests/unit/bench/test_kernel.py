"""The kernel's figures beside their limits, the lines to hold, and that all who are measured do the same work."""

import math

import pytest

from actors.kernel import settle
from bench import hops as jobs
from bench.kernel import ASYNCIO, DEQUE, OURS, QUEUE, UVLOOP, Hop, kernel_goals, kernel_report, kernel_table

WHO = (OURS, QUEUE, DEQUE)


def hops(
    loop: str = ASYNCIO, *, ask_us: float = 8.0, tells: float = 1_000_000, started_s: float = 0.4
) -> list[Hop]:
    """A round in which a Queue asks in 6 µs and a deque in 5, and both tell twice a million a second."""
    asked = {OURS: ask_us, QUEUE: 6.0, DEQUE: 5.0}
    return [
        *(Hop("ask", who, loop, {"p50_us": asked[who], "p99_us": 9, "at_once_per_s": 3e5}) for who in WHO),
        *(Hop("tell", who, loop, {"per_s": tells if who == OURS else 2e6}) for who in WHO),
        *(Hop("spawn", who, loop, {"spawn_s": started_s, "stop_s": 0.2}) for who in WHO),
    ]


def test_each_figure_stands_beside_its_limits() -> None:
    """Medians over the rounds with the least and the greatest; × says how many times as long it takes, of rates too."""
    lines = kernel_table([*hops(ask_us=9.0), *hops(ask_us=8.0), *hops(ask_us=7.0)], ASYNCIO).splitlines()

    assert lines[2] == "| ask, p50, µs | 8.0 (7.0–9.0) | 6.0 (6.0–6.0) | 5.0 (5.0–5.0) | 1.33 | 1.60 |"
    assert lines[5] == (
        "| tells, 1/s | 1,000,000 (1,000,000–1,000,000) | 2,000,000 (2,000,000–2,000,000)"
        " | 2,000,000 (2,000,000–2,000,000) | 2.00 | 2.00 |"
    )
    assert len(lines) == 2 + 6


def test_each_loop_has_a_table() -> None:
    """Where it was measured on."""
    assert "uvloop" not in kernel_report(hops())
    report = kernel_report([*hops(), *hops(UVLOOP, ask_us=6.0)])

    assert report.index("### On the loop of asyncio") < report.index("### On the loop of uvloop")
    assert "| ask, p50, µs, on uvloop | ≤ 9 | 6.0 | held |" in report


@pytest.mark.parametrize(
    ("found", "missed"),
    [
        (hops(ask_us=7.5), []),
        (hops(ask_us=12.0), ["ask, beside a bare deque"]),
        (hops(ask_us=12.1), ["ask, p50, µs", "ask, beside a bare queue", "ask, beside a bare deque"]),
        (
            hops(ask_us=7, tells=599_999),
            ["tells, 1/s", "tells, beside a bare queue", "tells, beside a bare deque"],
        ),
        (hops(ask_us=7, started_s=0.61), ["10,000 started and answered, s"]),
    ],
)
def test_lines_are_held_up_to_their_edge(found: list[Hop], missed: list[str]) -> None:
    """And missed beyond it."""
    assert [goal.what for goal in kernel_goals(found) if not goal.is_held] == missed


@pytest.mark.parametrize("job", ["tell", "ask", "crash", "spawn"])
@pytest.mark.parametrize("who", WHO)
async def test_all_do_the_same_work(who: str, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job holds that all was counted, and that a replacement began anew; here in small."""
    for name, size in {"TELLS": 3_000, "ASKS": 640, "CRASHES": 20, "ACTORS": 20}.items():
        monkeypatch.setattr(jobs, name, size)
    monkeypatch.setattr("logging.disable", lambda: None)
    side = jobs.side_of(who)

    said = await jobs.JOBS[job](side)
    await side.close()
    await settle()

    assert all(value > 0 and math.isfinite(value) for value in said.values())
