"""`agentic data …` from an empty database to a searched one, and all that it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.conftest import Agentic
from tests.unit.market.samples import FUNDING_HEAD, MARK_HEAD, T0, bar, bars, jsonl, story, write

BTC = ("--symbol", "BTC", "--interval", "1h", "--source", "venue")
HOUR_MS = 3_600_000


def document(agentic: Agentic, *arguments: str) -> Any:
    """What a command prints with --json."""
    result = agentic("data", *arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def refusal(agentic: Agentic, *arguments: str) -> str:
    """The one line that a refused command says; nothing may be kept of it."""
    result = agentic("data", *arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    empty: dict[str, list[object]] = {"bars": [], "mark": [], "funding": [], "news": [], "sources": []}
    assert document(agentic, "coverage") == empty
    return result.stderr.strip()


def test_an_import_says_what_it_did_and_what_is_missing(agentic: Agentic, tmp_path: Path) -> None:
    """How many rows, from when to when, what became of them, and the gaps with their places."""
    path = write(tmp_path, bars(*map(bar, (0, 1, 3, 4, 9))), "BTC.csv.gz")

    result = agentic("data", "import", "bars", str(path), *BTC)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "BTC 1h bars from venue: 5 rows, 2024-05-01 00:00 to 2024-05-01 09:00 UTC",
        "  5 new, 0 there already, 0 revised",
        "  2 gaps, 5 bars missing; the first from 2024-05-01 02:00 to 2024-05-01 03:00 UTC (1 bar);"
        " the longest from 2024-05-01 05:00 to 2024-05-01 09:00 UTC (4 bars)",
    ]


def test_a_revision_and_an_assumption_are_said(agentic: Agentic, tmp_path: Path) -> None:
    """What a person should know of what they did is a line of its own."""
    facts = ("--sz-decimals", "2", "--max-leverage", "5")
    symbol = ("--symbol", "ZZTEST", "--interval", "1h", "--source", "venue")
    agentic("data", "import", "bars", str(write(tmp_path, bars(bar(0)))), *symbol, *facts)

    again = agentic("data", "import", "bars", str(write(tmp_path, bars(bar(0, close=12)))), *symbol)

    assert again.stdout.splitlines()[1:] == [
        "  0 new, 0 there already, 1 revised",
        "  no gaps",
        "  what was revised is known from now on; a replay of the past still sees the old values",
        "  ZZTEST is not in the instrument table: its facts are assumed",
    ]


def test_an_import_as_json_has_stable_fields(agentic: Agentic, tmp_path: Path) -> None:
    """One document, instants in RFC 3339."""
    path = write(tmp_path, bars(bar(0), bar(2)))

    assert document(agentic, "import", "bars", str(path), *BTC) == {
        "kind": "bars",
        "symbol": "BTC",
        "interval": "1h",
        "source": "venue",
        "rows": 2,
        "new": 2,
        "unchanged": 0,
        "revised": 0,
        "first_ts": "2024-05-01T00:00:00Z",
        "last_ts": "2024-05-01T02:00:00Z",
        "gaps": {
            "count": 1,
            "missing": 1,
            "first": {"ts": "2024-05-01T01:00:00Z", "bars": 1},
            "longest": {"ts": "2024-05-01T01:00:00Z", "bars": 1},
        },
        "made_up_rows_replaced": 0,
        "instrument": {
            "sz_decimals": 5,
            "max_leverage": 40,
            "assumed": False,
            "source": "Hyperliquid docs, 2026-08-01",
        },
    }


def test_coverage_is_golden(agentic: Agentic, tmp_path: Path) -> None:
    """What there is of each series: rows, ends, revisions, gaps and sources."""
    agentic("data", "import", "bars", str(write(tmp_path, bars(bar(0), bar(1), bar(4)))), *BTC)
    agentic("data", "import", "bars", str(write(tmp_path, bars(bar(1, close=12)))), *BTC)
    agentic("data", "import", "bars", str(write(tmp_path, bars(bar(5)))), *BTC[:4], "--source", "b")
    mark, funding = f"{MARK_HEAD}\n{T0},10,12,9,11\n", f"{FUNDING_HEAD}\n{T0 + 8},0.0001\n"
    agentic("data", "import", "mark", str(write(tmp_path, mark)), *BTC)
    agentic("data", "import", "funding", str(write(tmp_path, funding)), *BTC[:2], "--source", "venue")
    agentic("data", "import", "news", str(write(tmp_path, jsonl(story()), "news.jsonl")))

    assert document(agentic, "coverage") == {
        "bars": [
            {
                "symbol": "BTC",
                "interval": "1h",
                "rows": 4,
                "first_ts": "2024-05-01T00:00:00Z",
                "last_ts": "2024-05-01T05:00:00Z",
                "revisions": 1,
                "missing": 2,
                "gap_count": 1,
                "gaps": [{"from": "2024-05-01T02:00:00Z", "to": "2024-05-01T04:00:00Z"}],
                "sources": ["b", "venue"],
            }
        ],
        "mark": [
            {
                "symbol": "BTC",
                "interval": "1h",
                "rows": 1,
                "first_ts": "2024-05-01T00:00:00Z",
                "last_ts": "2024-05-01T00:00:00Z",
                "revisions": 0,
                "missing": 0,
                "gap_count": 0,
                "gaps": [],
                "sources": ["venue"],
            }
        ],
        "funding": [
            {
                "symbol": "BTC",
                "interval": None,
                "rows": 1,
                "first_ts": "2024-05-01T00:00:00Z",
                "last_ts": "2024-05-01T00:00:00Z",
                "revisions": 0,
                "missing": 0,
                "gap_count": 0,
                "gaps": [],
                "sources": ["venue"],
            }
        ],
        "news": [
            {
                "source": "Wire",
                "rows": 1,
                "first_ts": "2024-05-01T00:00:00Z",
                "last_ts": "2024-05-01T00:00:00Z",
            }
        ],
        "sources": [],
    }
    shown = agentic("data", "coverage", "--symbol", "BTC").stdout
    assert "BTC 1h bars: 1 gap, 2 bars missing\n  2024-05-01 02:00 to 2024-05-01 04:00 UTC, 2 bars" in shown


def test_an_empty_database_says_where_to_begin(agentic: Agentic) -> None:
    """No empty table; the commands that bring data in."""
    assert "agentic data import bars FILE --symbol BTC --interval 1h" in agentic("data", "coverage").stdout
    assert agentic("data", "coverage", "--symbol", "ETH").stdout == "There is no market data of ETH.\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            bars(bar(1), bar(0)),
            ":3: ts 1714521600000 comes after the later 1714525200000; sort the file by ts",
        ),
        (bars(bar(0), bar(0)), ":3: ts 1714521600000 (2024-05-01T00:00:00Z) is there twice; leave one out"),
        (bars(bar(0, close="NaN")), ":2: close is NaN; every value must be a finite number"),
        (bars(bar(0, low=-1)), ":2: low -1 must be above 0"),
        (bars(bar(0, high=8)), ":2: high 8 is below low 9; mend the row or leave it out"),
        (bars(bar(ts=T0 + 1)), ":2: ts 1714521600001 (2024-05-01T00:00:00.001Z) is not the open of a 1h bar"),
        (
            bars(bar(ts="2024-05-01T00:00:00+02:00")),
            ":2: ts '2024-05-01T00:00:00+02:00' is in another time zone; write every time in UTC (1714514400000)",
        ),
        (bars(), " has no rows"),
        ("", " is empty"),
    ],
)
def test_a_bad_file_is_one_line_and_nothing_is_kept(
    agentic: Agentic, tmp_path: Path, text: str, says: str
) -> None:
    """Exit code 1, the place and what to do on stderr, an empty database after it."""
    path = write(tmp_path, text)

    assert refusal(agentic, "import", "bars", str(path), *BTC) == f"{path}{says}"


def test_a_cut_off_archive_is_one_line_and_nothing_is_kept(agentic: Agentic, tmp_path: Path) -> None:
    """Its readable beginning is not taken."""
    path = write(tmp_path, bars(*map(bar, range(5000))), "BTC.csv.gz")
    path.write_bytes(path.read_bytes()[:-50])

    assert "is a damaged or cut-off gzip file" in refusal(agentic, "import", "bars", str(path), *BTC)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("--symbol", "BTCUSDT", *BTC[2:]),
            "BTCUSDT is not in the instrument table; did you mean BTC? If not,",
        ),
        (("--symbol", "no such", *BTC[2:]), "'no such' is not a symbol; write it as the venue does"),
        (
            (*BTC, "--sz-decimals", "3"),
            "BTC has sz_decimals 5 (Hyperliquid docs, 2026-08-01), not 3; leave out",
        ),
        ((*BTC[:4], "--source", "My Venue"), "--source 'My Venue' is no name; use small letters, digits and"),
    ],
)
def test_what_can_not_be_is_refused(
    agentic: Agentic, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    """A good file under an impossible name."""
    path = write(tmp_path, bars(bar(0)))

    assert refusal(agentic, "import", "bars", str(path), *arguments).startswith(says)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("import", "bars", "x.csv", "--symbol", "BTC"), "Missing option '--interval'"),
        (
            ("import", "bars", "x.csv", "--symbol", "BTC", "--interval", "7h"),
            "'7h' is not a bar interval; use",
        ),
        (("import", "funding", "x.csv"), "Missing option '--symbol'"),
        (("import", "bars", *BTC), "Missing argument"),
        (("import", "ticks", "x.csv"), "No such command 'ticks'"),
        (("synth", *BTC[:4], "--from", "soon", "--to", "2025-01-01"), "'soon' is not a time"),
    ],
)
def test_wrong_usage_ends_with_2(agentic: Agentic, arguments: tuple[str, ...], says: str) -> None:
    """The options themselves are wrong, before any file is looked at."""
    result = agentic("data", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert says in " ".join(result.stderr.replace("│", " ").split())


def test_made_up_data_is_labelled_and_repeatable(agentic: Agentic) -> None:
    """The same seed makes the same market; the source says what it is."""
    arguments = ("synth", *BTC[:4], "--from", "2024-01-01", "--to", "2024-02-01", "--seed", "7")

    first, again = document(agentic, *arguments), document(agentic, *arguments)

    assert first == {
        "symbol": "BTC",
        "interval": "1h",
        "source": "synthetic",
        "seed": 7,
        "from": "2024-01-01T00:00:00Z",
        "to": "2024-02-01T00:00:00Z",
        "bars": 744,
        "mark": 744,
        "funding": 744,
        "news": 9,
        "made_up_rows_replaced": 0,
    }
    assert again == first | {"made_up_rows_replaced": 744 * 3 + 9}
    whole = document(agentic, "coverage")
    assert [whole[kind][0]["sources"] for kind in ("bars", "mark", "funding")] == [["synthetic"]] * 3


@pytest.mark.parametrize(
    ("begin", "end", "says"),
    [
        ("2024-01-01T00:30:00Z", "2024-02-01", "--from 2024-01-01T00:30:00Z is not the open of a 1h bar"),
        (
            "2024-02-01",
            "2024-01-01",
            "--to 2024-01-01T00:00:00Z must be later than --from 2024-02-01T00:00:00Z",
        ),
        (
            "2024-01-01",
            "2024-01-01",
            "--to 2024-01-01T00:00:00Z must be later than --from 2024-01-01T00:00:00Z",
        ),
        ("1960-01-01", "2024-01-01", "--from 1960-01-01T00:00:00Z is before 1970, where times begin here"),
        ("1980-01-01", "2980-01-01", "that is 8,765,832 bars; at most 2,000,000 are made up at once"),
    ],
)
def test_a_range_that_can_not_be_is_refused(agentic: Agentic, begin: str, end: str, says: str) -> None:
    """One line, and no trace of the symbol."""
    assert refusal(agentic, "synth", *BTC[:4], "--from", begin, "--to", end).startswith(says)


def test_news_is_found_by_words_as_it_was_known(agentic: Agentic, tmp_path: Path) -> None:
    """A story is there from a minute after its publication on, and not before."""
    rises = story(title="Exchange &amp; bank hacked \x1b[31m[bold]", body="Funds stolen")
    other = story(id="b", title="Ether falls", symbols=["ETH"], published_at=T0 + HOUR_MS)
    agentic("data", "import", "news", str(write(tmp_path, jsonl(rises, other), "news.jsonl")))

    before = document(agentic, "news", "hacks", "--as-of", "2024-05-01T00:00:59Z")
    after = document(agentic, "news", "hacks", "--as-of", "2024-05-01T00:01:00Z")

    assert before == []
    assert [(one["id"], one["available_ts"]) for one in after] == [("a1", "2024-05-01T00:01:00Z")]
    assert [one["id"] for one in document(agentic, "news")] == ["b", "a1"]
    assert [one["id"] for one in document(agentic, "news", "--symbol", "BTC")] == ["a1"]
    assert [one["id"] for one in document(agentic, "news", "stolen", "funds")] == ["a1"]
    shown = agentic("data", "news", "hack").stdout
    assert "2024-05-01 00:00  Exchange & bank hacked  [31m[bold]" in shown
    assert "\x1b" not in shown


def test_a_search_without_result_says_so(agentic: Agentic) -> None:
    """Not an empty screen."""
    assert agentic("data", "news", "nothing").stdout == "No story fits.\n"
    assert refusal(agentic, "news", "--limit", "0") == "--limit must be 1 to 200, was 0"
