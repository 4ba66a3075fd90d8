"""The bench understands the product's commands: the job, done by `agentic` as a user types it."""

from pathlib import Path

from bench.data import make_bars, write_tidy
from bench.jobs import OURS, others, run
from bench.peers.job import FIRST_MS, HOUR_MS, tidy_file
from bench.product import open_home, product_job
from bench.verdicts import different_work

BARS = 1500


def test_the_product_does_the_same_work_as_the_limit(tmp_path: Path) -> None:
    """Bars imported into a home of its own, the Skill run over them: as many orders, and the same cents."""
    write_tidy(tidy_file(str(tmp_path), BARS), make_bars(BARS), FIRST_MS, HOUR_MS)
    bare = dict(others(tmp_path, tmp_path))["bare events"]()

    with open_home(tmp_path / "bench") as home:
        ours = run(product_job(home, tmp_path, BARS), BARS, load=0.0)
    limit = run(bare, BARS, load=0.0)

    assert ours.job == OURS
    assert ours.outcome.orders > 20
    assert different_work([limit, ours]) == []
    assert ours.bars_per_s > 0
    assert list((tmp_path / "bench").iterdir()) == []
