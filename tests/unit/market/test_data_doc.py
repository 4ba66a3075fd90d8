"""What docs/data.md says of data files is what holds."""

from pathlib import Path

from market.tidy.files import MAX_BYTES, MAX_ROWS
from market.tidy.news import Story
from market.tidy.series import BAR_COLUMNS, FUNDING_COLUMNS, MARK_COLUMNS

DOC = (Path(__file__).parents[3] / "docs" / "data.md").read_text("utf-8")


def test_the_columns_are_those_that_are_read() -> None:
    """Each kind's row of the table names its columns, and news all of its fields."""
    for kind, columns in (("bars", BAR_COLUMNS), ("mark", MARK_COLUMNS), ("funding", FUNDING_COLUMNS)):
        assert f"| `{kind}` | `{','.join(columns)}` |" in DOC
    row = next(line for line in DOC.splitlines() if line.startswith("| `news` |"))
    named = {name for part in row.split("`")[3::2] for name in part.split(",")}
    assert named == set(Story.__struct_fields__)


def test_the_limits_are_those_that_hold() -> None:
    """How large a file may be."""
    assert f"at most {MAX_ROWS:,} rows and {MAX_BYTES // 2**20} MiB, unpacked" in DOC
