"""Files on their way out: whole or not at all, and nothing is replaced that is no file."""

import os
import stat
from pathlib import Path

import pytest

from cli.files import write_whole


def test_a_file_is_replaced_by_a_whole_one(tmp_path: Path) -> None:
    """What was there is gone, and no half is left beside it."""
    path = tmp_path / "report.html"
    path.write_text("a longer report than the next")

    write_whole(path, "short")

    assert path.read_text() == "short"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_still_leads_where_it_did(tmp_path: Path) -> None:
    """The file behind it is written."""
    file, link = tmp_path / "real.html", tmp_path / "latest.html"
    link.symlink_to(file)

    write_whole(link, "new")

    assert link.is_symlink()
    assert file.read_text() == "new"


def test_a_pipe_is_written_into_and_stays_a_pipe(tmp_path: Path) -> None:
    """So `--report /dev/stdout` prints, and takes no device away."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    write_whole(pipe, "through")

    assert os.read(reader, 100) == b"through"
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    os.close(reader)


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """A name that has no room for its unfinished twin is refused by the system."""
    with pytest.raises(OSError, match="too long"):
        write_whole(tmp_path / ("n" * 250), "text")

    assert list(tmp_path.iterdir()) == []
