"""The bench sends commands to another process and keeps decisions, by the product and bare, each in a process."""

from pathlib import Path

from bench.product import open_home
from bench.stores import COMMANDS, DECISIONS, measured, stores_goals, stores_table


def test_a_round_measures_the_product_and_the_bare_statements(tmp_path: Path) -> None:
    """A command is handled before it is taken, and taken before it is known to be done."""
    with open_home(tmp_path) as home:
        found = list(measured(home, 1, count=10))

    assert [one.job for one in found] == [COMMANDS, DECISIONS]
    way = [found[0].ours[name]["p50_ms"] for name in ("handler", "taken", "known")]
    assert 0 < way[0] < way[1] < way[2]
    assert found[0].bare["handler"]["p50_ms"] > 0
    assert all(said["one"]["p50_ms"] > 0 for said in (found[1].ours, found[1].bare))
    assert all(said["rows_per_s"] > 0 for said in (found[1].ours, found[1].bare))
    assert len(stores_goals(found)) == 5
    assert len(stores_table(found).splitlines()) == 7
