"""Bundles that somebody tampered with, cut off or made up: each is refused in one line, and nothing of it is kept."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from config.instruments import find
from control import bundle_file, run_bundle
from control.bundle_file import Carried, read_bundle, write_bundle
from control.bundle_lines import RunLine, SeriesLine, SkillLine
from control.errors import Invalid
from db.market import BAR
from db.pool import Database
from domain.time import HOUR_MS
from market.instruments import to_row
from market.synth import make_up
from simulator.spec import RunSpec, to_config
from skills import skill_md
from skills.version import SkillVersion
from tests.integration.simulator.bundles import lines_of, write
from tests.integration.simulator.samples import DAYS, LATER, SKILL, T0

NOW = LATER + DAYS
HOURS = 2_500
TABLES = ("bars", "mark_prices", "funding_rates", "instruments", "news", "skills", "sim_runs", "model_calls")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A bundle as it is written, of a run of one symbol over its hours."""
    made = make_up(find("BTC"), HOUR_MS, T0, T0 + HOURS * HOUR_MS, 1).bars
    rows = np.empty(HOURS, BAR)
    for name in made.dtype.names or ():
        rows[name] = made[name]
    rows["available_at"] = rows["ts"] + HOUR_MS
    version = SkillVersion.of(skill_md.read(SKILL))
    spec = RunSpec(from_ts=T0 + 20 * HOUR_MS, to_ts=T0 + HOURS * HOUR_MS)
    carried = Carried(
        digests=dict.fromkeys(run_bundle.DIGESTS, "0" * 64),
        skill=SkillLine(version.digest, version.text),
        run=RunLine(to_config(spec), {}),
        instruments=[to_row(find("BTC"), LATER)],
        series=[(SeriesLine("bars", "BTC", HOUR_MS, HOURS, [("made", HOURS)]), rows)],
    )
    write_bundle(carried, tmp_path / "run.agentic")
    return tmp_path / "run.agentic"


async def counts(database: Database) -> dict[str, int]:
    """How many rows each table has."""
    async with database.as_worker() as connection:
        return {name: await connection.fetchval(f"select count(*) from {name}") for name in TABLES}


async def test_the_sample_itself_is_taken_in(database: Database, owner: UUID, file: Path) -> None:
    """So that what follows is refused for what was done to it."""
    await run_bundle.take_in(database, owner, file, NOW)
    assert await counts(database) == dict.fromkeys(TABLES, 0) | {
        "bars": HOURS,
        "instruments": 1,
        "skills": 1,
        "sim_runs": 1,
    }


def _line(kind: str, **changes: Any) -> Callable[[list[Any]], None]:
    """Change the first line of a kind."""

    def change(lines: list[Any]) -> None:
        next(line for line in lines if line["type"] == kind).update(changes)

    return change


def _value(column: str, value: float) -> Callable[[list[Any]], None]:
    """Change one value of the first bars."""

    def change(lines: list[Any]) -> None:
        rows = next(line for line in lines if line["type"] == "rows")
        (rows["values"] if column in rows["values"] else rows["instants"])[column][1] = value

    return change


def _config(**changes: Any) -> Callable[[list[Any]], None]:
    return lambda lines: lines[2]["config"].update(changes)


def _end(ts: int) -> Callable[[list[Any]], None]:
    """A last bar so late that the run would have more bars than fit in memory."""

    def change(lines: list[Any]) -> None:
        lines[2]["config"]["to_ts"] = ts + HOUR_MS
        next(line for line in lines if line["type"] == "series")["sources"] = [["synthetic", HOURS]]
        lines[-1]["instants"]["ts"][-1] = ts
        lines[-1]["instants"]["available_at"][-1] = ts + HOUR_MS

    return change


BROKEN: dict[str, tuple[Callable[[list[Any]], object], str]] = {
    "another format": (_line("agentic run", format=2), "format 2.*reads format 1"),
    "an unknown line": (lambda lines: lines.append({"type": "macro", "run": "rm"}), "line .*macro"),
    "an unknown key": (_line("skill", path="/etc/passwd"), "line 2: .*path"),
    "no Skill": (lambda lines: lines.pop(1), "no Skill, or no run"),
    "two runs": (lambda lines: lines.append(lines[2]), "here is another"),
    "a changed Skill": (_line("skill", body="---\n---\n"), "not the one that its digest names"),
    "a table that is none": (_line("series", table="auth.users"), "no series of market data"),
    "fewer rows than it says": (lambda lines: lines.pop(), "has 2000 rows, and says it has 2500"),
    "rows of nothing": (
        lambda lines: lines.insert(3, {"type": "rows", "instants": {}, "values": {}}),
        "before",
    ),
    "other columns": (_line("rows", instants={"ts": [1]}), "rows have the columns"),
    "columns of two lengths": (lambda lines: _rows(lines)["values"]["open"].pop(), "all of one length"),
    "a price below zero": (_value("low", -1.0), "low -1 must be above 0"),
    "a high below the low": (_value("high", 0.01), "high"),
    "a volume below zero": (_value("volume", -1.0), "volume"),
    "rows out of order": (_value("ts", T0 - HOUR_MS), "not in order"),
    "a bar known early": (_value("available_at", T0), "before they were over"),
    "a bar of tomorrow": (_value("available_at", NOW + 3 * DAYS), "not over yet"),
    "a setting that is none": (_config(costs="cheap"), "settings can't be read"),
    "cash that is no number": (_config(cash="NaN"), "none that could have been asked for"),
    "a range backwards": (_config(to_ts=0), "none that could have been asked for"),
    "a range without end": (_config(to_ts=T0 * 100 // HOUR_MS * HOUR_MS), "longer than its market data"),
    "a run of ages": (_end(T0 * 100 // HOUR_MS * HOUR_MS), "longer than its market data"),
    "a range beyond all time": (
        _config(to_ts=2**52 // HOUR_MS * HOUR_MS),
        "none that could have been asked for",
    ),
    "a cutoff beyond all time": (_config(cutoff_ts=2**60), "none that could have been asked for"),
    "a cap beyond all numbers": (_config(platform={"max_order_usd": "1e999"}), "none that could have"),
    "lots that can't be": (
        lambda lines: _instrument(lines).update(symbol="NEW", sz_decimals=99),
        "sz-decimals",
    ),
    "a symbol that is none": (lambda lines: _instrument(lines).update(symbol="\u202e<b>"), "is not a symbol"),
    "tiers that can't be": (lambda lines: _instrument(lines).update(tiers=[["NaN", 0]]), "margin tiers"),
    "tiers that are none": (lambda lines: _instrument(lines).update(tiers={"a": 1}), "margin tiers"),
    "rows of what is not described": (_line("series", symbol="ETH"), "rows of 'ETH'"),
    "news of tomorrow": (lambda lines: lines.append(_story(NOW + DAYS)), "or is not yet"),
    "news known early": (lambda lines: lines.append(_story(T0, T0 - 1)), "before it was published"),
    "nests without end": (lambda lines: lines[2].update(manifest=_nest(300)), "nests too deeply"),
    "facts that are others": (lambda lines: _instrument(lines).update(max_leverage=100), "facts of BTC"),
}


def _story(published: int, known: int | None = None) -> Any:
    at = published if known is None else known
    return {"type": "news", "story": ["wire", "1", published, None, at, "BTC", None, None, [], None, None]}


def _nest(depth: int) -> Any:
    return {"deeper": _nest(depth - 1)} if depth else {}


def _rows(lines: list[Any]) -> Any:
    return next(line for line in lines if line["type"] == "rows")


def _instrument(lines: list[Any]) -> Any:
    return next(line for line in lines if line["type"] == "instrument")["instrument"]


@pytest.mark.parametrize(("change", "said"), BROKEN.values(), ids=BROKEN)
async def test_a_file_that_is_wrong_inside_is_refused_whole(
    file: Path,
    database: Database,
    owner: UUID,
    tmp_path: Path,
    change: Callable[[list[Any]], object],
    said: str,
) -> None:
    """One line that says what is wrong, and nothing is left behind, though its header names its contents rightly."""
    before = await counts(database)
    lines = lines_of(file)
    change(lines)
    write(tmp_path / "wrong", lines)
    with pytest.raises(Invalid, match=said) as caught:
        await run_bundle.take_in(database, owner, tmp_path / "wrong", NOW)
    assert "\n" not in str(caught.value)
    assert await counts(database) == before


def _damaged(data: bytes, how: str) -> bytes:
    match how:
        case "cut off":
            return data[: len(data) // 2]
        case "cut off at the end":
            return data[:-9]
        case "a bit turned":
            return data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]
        case "one long line":
            return gzip.compress(b"0" * (40 << 20), 1)
        case "many short lines":
            return gzip.compress(gzip.decompress(data) + b"\n" * (40 << 20), 1)
        case "not packed":
            return gzip.decompress(data)
        case _:
            return b""


@pytest.mark.parametrize(
    "how",
    [
        "cut off",
        "cut off at the end",
        "a bit turned",
        "one long line",
        "many short lines",
        "not packed",
        "empty",
    ],
)
def test_a_damaged_file_is_refused_before_anything_is_done(file: Path, how: str) -> None:
    """Cut off, turned, or unpacking to far more than it holds: one line, and no database is asked."""
    file.write_bytes(_damaged(file.read_bytes(), how))
    with pytest.raises(Invalid) as caught:
        read_bundle(file)
    assert "\n" not in str(caught.value)


def test_a_file_that_unpacks_to_too_much_is_not_read_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines are counted as they are unpacked, however short they are."""
    monkeypatch.setattr(bundle_file, "MOST_BYTES", 100_000)
    with pytest.raises(Invalid, match="unpacks to more than a bundle may have"):
        read_bundle(file)


def test_too_many_rows_are_not_kept_in_memory(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows count beside bytes, since a short number takes more room than its digits."""
    monkeypatch.setattr(bundle_file, "MOST_ROWS", 2_000)
    with pytest.raises(Invalid, match="at most 2,000 rows"):
        read_bundle(file)


def test_a_tampered_file_is_told_from_the_written_one(file: Path) -> None:
    """Another value in a line, and the header still names the old contents."""
    lines = lines_of(file)
    _value("volume", 12345.0)(lines)
    write(file, lines, honest=False)
    with pytest.raises(Invalid, match="not as it was written"):
        read_bundle(file)
