"""The files that commands read and write: bounded on the way in, whole or not at all on the way out."""

from pathlib import Path

import typer

from skills.skill_md import MAX_FILE_BYTES


def read_skill(file: Path) -> bytes:
    """Read a file as far as a Skill could be long, and one byte more to tell that it is longer."""
    with file.open("rb") as opened:
        return opened.read(MAX_FILE_BYTES + 1)


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all. A pipe or a device is written into, and stays what it is.

    Raises OSError, with nothing of it left behind.
    """
    place = path.resolve()
    if place.exists() and not place.is_file():
        place.write_text(text, "utf-8")
        return
    unfinished = place.with_name(f"{place.name}.unfinished")
    try:
        unfinished.write_text(text, "utf-8")
        unfinished.replace(place)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def see_that_it_can_be_written(report: Path | None) -> None:
    """Find out before a long run, rather than after it, that there is no place for its report."""
    if report is not None and (report.is_dir() or not report.parent.is_dir()):
        what = "is a folder" if report.is_dir() else f"can't be written: there is no folder {report.parent}"
        raise typer.BadParameter(f"{report} {what}", param_hint="--report")
