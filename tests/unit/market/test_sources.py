"""Where data says it is from."""

from pathlib import Path

import pytest

from market.sources import name_source
from market.tidy.problems import TidyError


@pytest.mark.parametrize(
    ("folder", "source"),
    [
        ("binance-perp", "binance-perp"),
        ("My Data (2024)", "my-data-2024"),
        ("…", "file"),
        ("x" * 60, "x" * 40),
    ],
)
def test_a_source_is_the_folders_name(tmp_path: Path, folder: str, source: str) -> None:
    """In small letters, without what does not belong into a name."""
    assert name_source([tmp_path / folder / "BTC.csv"], None) == source


def test_a_name_that_is_given_counts(tmp_path: Path) -> None:
    """Whatever the folders are called."""
    assert name_source([tmp_path / "a" / "BTC.csv", tmp_path / "b" / "BTC.csv"], "venue.x") == "venue.x"


@pytest.mark.parametrize("given", ["", "Binance", "a b", "-x", "x" * 41, "a\n"])
def test_what_is_no_name_is_refused(given: str) -> None:
    """One line, with what a name is."""
    with pytest.raises(TidyError, match="is no name; use small letters"):
        name_source([Path("BTC.csv")], given)


def test_files_of_two_folders_have_no_common_source(tmp_path: Path) -> None:
    """Then it has to be said where they are from."""
    with pytest.raises(TidyError, match=r"in different folders \(a, b\); say where from with --source"):
        name_source([tmp_path / "b" / "BTC.csv", tmp_path / "a" / "BTC.csv"], None)
