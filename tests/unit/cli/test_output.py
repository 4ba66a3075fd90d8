"""What commands print, and what becomes of their errors."""

import json
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
import typer
from rich.table import Table

from cli.output import describe, emit, plain_errors, print_json, printable, progress, run, say, to_json
from config.settings import SettingsError
from control.errors import NotFound
from db.errors import DiskFull
from market.tidy.problems import TidyError
from skills.problems import SkillError, SkillProblem


class Row(msgspec.Struct):
    """A result with an instant, an amount and an inner list."""

    created_ts: int
    ended_ts: int | None
    cash: Decimal
    next_ts: list[int] = []
    count: int = 1_700_000_000_000


def test_json_keeps_money_exact_and_says_instants_as_people_do() -> None:
    """Decimals are plain text, `…_ts` of structs are RFC 3339, other numbers stay numbers."""
    row = Row(1_700_000_000_000, None, Decimal("1E+3"), [1_700_000_000_123])

    assert json.loads(to_json({"rows": [row]})) == {
        "rows": [
            {
                "created_ts": "2023-11-14T22:13:20Z",
                "ended_ts": None,
                "cash": "1000",
                "next_ts": ["2023-11-14T22:13:20.123Z"],
                "count": 1_700_000_000_000,
            }
        ]
    }


def test_json_has_no_numbers_that_json_lacks() -> None:
    """Not-a-number and the infinities are null."""
    values = [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")]

    assert json.loads(to_json(values)) == [None] * 4


def test_json_writes_ids_paths_and_sets() -> None:
    """The kinds of values that documents are made of."""
    found = json.loads(to_json({"id": UUID(int=1), "path": Path("a/b"), "names": {"y", "x"}}))

    assert found == {"id": str(UUID(int=1)), "path": "a/b", "names": ["x", "y"]}


def test_a_value_that_has_no_json_is_a_fault() -> None:
    """Rather than something made up."""
    with pytest.raises(TypeError):
        print_json(object())


def test_a_result_is_for_people_or_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """One of the two, on stdout."""
    emit({"n": 1}, False, lambda document: f"n is {document['n']} [bold]")
    assert capsys.readouterr() == ("n is 1 [bold]\n", "")

    emit({"n": 1}, True, lambda document: "not this")
    assert capsys.readouterr() == ('{\n  "n": 1\n}\n', "")


def test_nothing_that_is_shown_moves_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A headline or a file's name that clears the screen is shown as what it is."""
    hostile = "a\x1b[2Jb\r\x9bc"
    table = Table(box=None)
    table.add_column(hostile)
    table.add_row(hostile)

    say(hostile)
    emit(0, False, lambda _: hostile)
    emit(0, False, lambda _: table)

    shown = capsys.readouterr()
    assert shown.err == "a\\x1b[2Jb\\x0d\\x9bc\n"
    assert shown.out.count("a\\x1b[2Jb\\x0d\\x9bc") == 3
    assert not set("\x1b\r\x9b") & set(shown.out)


def test_what_reorders_or_hides_letters_is_shown_by_its_code() -> None:
    """A text can't be read backwards, or be another one than it looks like."""
    assert (
        printable("pay\u202e01 DSU\u2069 \ufefftwice\u200b") == "pay\\u202e01 DSU\\u2069 \\ufefftwice\\u200b"
    )
    assert printable("größer – 慢 🙂\ttab\nline") == "größer – 慢 🙂\ttab\nline"


@pytest.mark.parametrize(
    "error",
    [NotFound("one line"), DiskFull("one line"), SettingsError("one line"), TidyError("one line")],
    ids=lambda error: type(error).__name__,
)
def test_an_expected_error_is_a_line_and_exit_code_1(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, without a traceback."""

    async def work() -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        run(work())

    assert ended.value.exit_code == 1
    assert capsys.readouterr() == ("", "one line\n")


def test_every_problem_of_a_skill_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """So that all can be mended at once."""
    problems = [SkillProblem(2, "name", "is missing"), SkillProblem(5, "risk", "is text")]

    with pytest.raises(typer.Exit), plain_errors():
        raise SkillError(problems, "x.md")

    assert capsys.readouterr().err == "x.md:2: name is missing\nx.md:5: risk is text\n"


def test_debugging_shows_where_an_error_came_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line stays the first thing said."""
    monkeypatch.setenv("AGENTIC_LOG_LEVEL", "debug")

    with pytest.raises(typer.Exit), plain_errors():
        raise NotFound("one line")

    said = capsys.readouterr().err
    assert said.startswith("one line\nTraceback ")


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("a fault"), KeyboardInterrupt()], ids=repr)
def test_other_errors_pass(error: BaseException) -> None:
    """A reader that left, a fault of the program and Ctrl-C are not a person's to mend."""
    with pytest.raises(type(error)), plain_errors():
        raise error


def test_an_error_of_the_file_system_names_the_file() -> None:
    """And says what is the matter, without a number."""
    with pytest.raises(OSError) as raised:
        Path("no/such/file").read_text()

    assert describe(raised.value) == "no/such/file: No such file or directory"
    assert describe(OSError("as it is")) == "as it is"


def test_there_is_no_bar_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Work goes on just the same."""
    with progress("Importing", 10) as to:
        to(5)

    assert capsys.readouterr() == ("", "")
