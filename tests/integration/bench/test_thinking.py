"""The bench has a model decide: runs, their replay and bare calls, each a process, against the stand-in."""

from pathlib import Path

from bench.data import make_bars, write_tidy
from bench.peers.job import FIRST_MS, HOUR_MS, tidy_file
from bench.product import open_home
from bench.thinking import BARE_CLIENT, BARE_HTTP, BARS_FILE, RECORDED, REPLAYED, Bench

TICKS = 5


def test_a_round_measures_a_run_its_replay_and_the_bare_calls(tmp_path: Path) -> None:
    """Of as many ticks as calls; the times of ticks are found in the record, and of a replay there are none."""
    write_tidy(tidy_file(str(tmp_path), BARS_FILE), make_bars(300), FIRST_MS, HOUR_MS)

    with open_home(tmp_path / "bench") as home:
        found = list(Bench.open(home, tmp_path, full=False).at_once(TICKS))

    assert [thought.name for thought in found] == [RECORDED, REPLAYED, BARE_CLIENT, BARE_HTTP]
    assert {thought.ticks for thought in found} == {TICKS}
    assert [thought.p50_ms is None for thought in found] == [False, True, False, False]
    assert all(0 < thought.loop_s < thought.process.wall_s for thought in found)
    assert all(thought.p50_ms <= thought.p99_ms for thought in found if thought.p50_ms and thought.p99_ms)
