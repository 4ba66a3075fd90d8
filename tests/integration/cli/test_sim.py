"""`agentic sim`: what each command prints, as people read it and as JSON, and each refusal in one line."""

import asyncio
import csv
import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pyarrow.parquet as parquet
import pytest

from cli import sim_views
from db.pool import Database
from tests.integration.cli.conftest import Agentic
from tests.integration.simulator.samples import keep_market, skill_text

FIGURES = {
    "final_equity", "total_return", "annual_return", "volatility", "sharpe", "sortino", "calmar", "max_drawdown",
    "fills", "trades", "win_rate", "fees", "funding", "slippage", "inference_cost", "refusals", "refused",
    "liquidations", "exposure", "turnover", "ticks", "baselines",
}  # fmt: skip
TEXT = skill_text()
NOTHING_TO_SHOW = "00000000"


@pytest.fixture
async def market(database: Database) -> None:
    """Two hundred hours of two symbols."""
    await keep_market(database)
    await keep_market(database, "ETH", source="synthetic")


@pytest.fixture
def sim(agentic: Agentic, market: None, tmp_path: Path) -> Callable[..., Any]:
    """`sim("run", "sample.md")` gives the document of `agentic sim run sample.md --json`, which must succeed."""
    (tmp_path / "sample.md").write_text(TEXT)

    def call(*arguments: str) -> Any:
        done = agentic("sim", *arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return call


def refused(agentic: Agentic, *arguments: str, code: int = 1) -> str:
    """The one line of a command that is refused. Nothing is on stdout."""
    done = agentic("sim", *arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    if code == 1:
        assert done.stderr.count("\n") == 1
    return done.stderr


WAITS = (
    "insert into sim_runs (id, user_id, skill_version_id, config)"
    " select $1, user_id, skill_version_id, config from sim_runs limit 1"
)
WAITING = "0198c0de-0000-7000-8000-0000000000aa"


def ask_again(database_url: str, *ids: str) -> None:
    """Ask for what was run already, once for each id, and leave it waiting."""

    async def insert() -> None:
        admin = await asyncpg.connect(database_url)
        await admin.executemany(WAITS, [[UUID(run_id)] for run_id in ids])
        await admin.close()

    asyncio.run(insert())


# A run.


def test_a_run_is_one_document(sim: Callable[..., Any]) -> None:
    """Id, status, figures, digests and warnings, under the names that others rely on."""
    done = sim(
        "run", "sample.md", "--from", "2025-01-02", "--to", "2025-01-05", "--cash", "5_000", "--seed", "3"
    )

    assert {"run_id", "status", "metrics", "digests", "warnings"} <= done.keys()
    assert (done["status"], done["skill"], done["version"]) == ("done", "sample", 1)
    assert (done["from"], done["to"]) == ("2025-01-02T00:00:00Z", "2025-01-05T00:00:00Z")
    assert done["config"] == {
        "cash": "5000",
        "costs": "default",
        "funding": True,
        "seed": 3,
        "execution_interval": None,
        "cutoff_ts": 0,
        "sample": 0,
        "mask": False,
        "mode": "record",
        "origin": "",
        "of_run": "",
    }
    assert done["metrics"].keys() >= FIGURES
    assert done["digests"].keys() == {"manifest", "ledger", "report"}
    assert all(len(digest) == 64 for digest in done["digests"].values())
    assert (done["timing"]["bars"], done["warnings"]) == (72, [])


def test_a_run_is_a_table_for_people(agentic: Agentic, sim: Callable[..., Any], tmp_path: Path) -> None:
    """The Skill beside buying and holding and staying flat; where the report is stands on stderr."""
    done = agentic("sim", "run", "sample.md", "--report", "report.html")

    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "sample@1 · BTC · 2025-01-01 to 2025-01-09 08:00"
    assert lines[1].split() == ["Skill", "Buy", "and", "hold", "Stay", "flat"]
    assert [line.split("  ")[0] for line in lines[2:6]] == [
        "Total return",
        "Annual return",
        "Volatility",
        "Sharpe",
    ]
    assert done.stderr.endswith("report: report.html\n")
    assert "running" not in done.stderr
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert not list(tmp_path.glob("*.unfinished"))


def test_the_same_command_twice_gives_the_same_digests(sim: Callable[..., Any]) -> None:
    """By file, by name and by version."""
    found = [sim("run", name)["digests"] for name in ("sample.md", "sample", "sample@1")]
    assert found[0] == found[1] == found[2]


def test_every_setting_reaches_the_run(sim: Callable[..., Any]) -> None:
    """Costs, funding and the execution interval stand in the run's own words."""
    arguments = ("--costs", "none", "--funding", "off", "--execution-interval", "1h")
    done = sim("run", "sample.md", *arguments)
    assert [warning.partition(".")[0] for warning in done["warnings"]] == [
        "Spread and impact were left out",
        "Funding was left out",
    ]
    assert (done["config"]["costs"], done["config"]["funding"], done["config"]["execution_interval"]) == (
        "none",
        False,
        "1h",
    )
    assert (float(done["metrics"]["funding"]), float(done["metrics"]["slippage"])) == (0, 0)
    assert float(done["metrics"]["fees"]) > 0


def test_platform_caps_tighten_a_run(sim: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the platform has the last word, and the manifest shows it."""
    monkeypatch.setenv("AGENTIC_PLATFORM_CAPS", '{"max_order_usd": 20}')
    done = sim("run", "sample.md")
    assert done["metrics"]["fills"] == 0
    assert done["metrics"]["refusals"].keys() == {"max_order_usd"}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("run", "nope"), "there is no skill nope; see `agentic skill list`"),
        (("run", "nope.md"), "there is no skill nope.md"),
        (("run", "sample.md", "--from", "2024-01-01"), "the 1h bars of BTC reach from 2025-01-01T00:00:00Z to"),
        (("run", "sample.md", "--from", "2025-01-05", "--to", "2025-01-04"), "--to 2025-01-04T00:00:00Z must be later"),
        (("run", "sample.md", "--from", "2025-01-01T00:30"), "--from 2025-01-01T00:30:00Z is not the open of a 1h bar"),
        (("run", "sample.md", "--cash", "5"), "--cash must be 10 to 1,000,000,000 USD, was 5"),
        (("run", "sample.md", "--cash", "nan"), "--cash must be 10 to 1,000,000,000 USD, was NaN"),
        (("run", "sample.md", "--seed", "-1"), "--seed must be 0 or more, was -1"),
        (("run", "sample.md", "--seed", str(2**63)), f"--seed must be at most {2**63 - 1}, was {2**63}"),
        (("run", "sample.md", "--execution-interval", "4h"), "--execution-interval 4h does not divide 1h"),
        (("run", "sol.md"), "there are no 1h bars of SOL; import them with `agentic data import bars FILE"),
        (("run", "model.md"), "there is no key for language models; set ANTHROPIC_API_KEY, or replay"),
        (("show", NOTHING_TO_SHOW), "there is no run 00000000; `agentic sim list` shows those there are"),
        (("show", "last"), "there is no run last"),
        (("compare", "last", "last"), "there is no run last"),
        (("export", "last", "--to", "x"), "there is no run last"),
        (("cancel", "last"), "there is no run last"),
        (("delete", "last"), "there is no run last"),
        (("resume", "last"), "there is no run last"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(
    agentic: Agentic, sim: Callable[..., Any], tmp_path: Path, arguments: tuple[str, ...], line: str
) -> None:
    """On stderr, with exit code 1; no run is left behind."""
    (tmp_path / "sol.md").write_text(skill_text(market="{symbols: [SOL], interval: 1h, bars: 20}"))
    model = skill_text(model="anthropic:claude-sonnet-4-6")
    (tmp_path / "model.md").write_text(model.replace("model_params: {fast: 3, slow: 8, size: 0.1}\n", ""))
    assert refused(agentic, *arguments).startswith(line)
    assert sim("list") == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "sample.md", "--cash", "much"),
        ("run", "sample.md", "--costs", "some"),
        ("run", "sample.md", "--from", "soon"),
        ("run", "sample.md", "--report", "no/such/folder.html"),
        ("run", "sample.md", "--report", "."),
        ("run",),
    ],
)
def test_what_is_miswritten_is_a_matter_of_usage(
    agentic: Agentic, sim: Callable[..., Any], arguments: tuple[str, ...]
) -> None:
    """Exit code 2, before anything is run."""
    refused(agentic, *arguments, code=2)
    assert sim("list") == []


def test_a_bad_skill_file_is_told_line_by_line(
    agentic: Agentic, sim: Callable[..., Any], tmp_path: Path
) -> None:
    """All that is wrong with it, each with its place."""
    (tmp_path / "bad.md").write_text(TEXT.replace("schedule: 1h", "shedule: 1h"))
    done = agentic("sim", "run", "bad.md")
    assert (done.exit_code, done.stdout) == (1, "")
    assert all(line.startswith("bad.md:") for line in done.stderr.splitlines())


# Runs that there are.


def test_runs_are_listed_newest_first(agentic: Agentic, sim: Callable[..., Any], tmp_path: Path) -> None:
    """By Skill, if one is named; made-up data are marked."""
    (tmp_path / "eth.md").write_text(
        skill_text(name="other", market="{symbols: [ETH], interval: 1h, bars: 20}")
    )
    first, second = sim("run", "sample.md"), sim("run", "eth.md")

    assert [row["run_id"] for row in sim("list")] == [second["run_id"], first["run_id"]]
    assert [row["run_id"] for row in sim("list", "--skill", "sample")] == [first["run_id"]]
    assert len(sim("list", "--limit", "1")) == 1
    head, newest, oldest, note = agentic("sim", "list").stdout.splitlines()
    assert head.split() == list(sim_views.LISTED)
    assert newest.split()[:4] == [second["run_id"][-8:], "other@1", "2025-01-01", "2025-01-09"]
    assert newest.split()[4].endswith("%*")
    assert oldest.split()[4].endswith("%")
    assert note == "* on made-up data"


def test_an_empty_list_says_how_to_begin(agentic: Agentic, sim: Callable[..., Any]) -> None:
    """Nothing is no error."""
    assert agentic("sim", "list").stdout == "There are no runs yet. Start one: agentic sim run SKILL\n"


def test_a_run_is_shown_again(agentic: Agentic, sim: Callable[..., Any], tmp_path: Path) -> None:
    """By `last`, its id, or the end of it; with the same report as when it ran."""
    done = sim("run", "sample.md", "--report", "one.html")
    for name in ("last", done["run_id"], done["run_id"][-8:].upper()):
        shown = sim("show", name)
        assert {key: done[key] for key in shown} == shown
    assert agentic("sim", "show", "last", "--report", "two.html").exit_code == 0
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_an_ending_that_several_runs_share_is_refused(
    agentic: Agentic, sim: Callable[..., Any], database_url: str
) -> None:
    """More of the id is asked for."""
    sim("run", "sample.md")
    ask_again(database_url, WAITING, WAITING.replace("0198c0de", "0198c0df"))
    assert refused(agentic, "show", "00AA") == "2 runs end in 00AA; write more of the id\n"


def test_made_up_data_is_labelled_wherever_a_run_is_shown(
    agentic: Agentic, sim: Callable[..., Any], tmp_path: Path
) -> None:
    """In its heading, and in a comparison."""
    (tmp_path / "eth.md").write_text(skill_text(market="{symbols: [ETH], interval: 1h, bars: 20}"))
    ran = agentic("sim", "run", "eth.md")
    assert ran.stdout.splitlines()[0] == "sample@1 · ETH · 2025-01-01 to 2025-01-09 08:00 · made-up data"
    sim("run", "sample.md")
    assert [row["synthetic"] for row in sim("list")] == [False, True]
    (first, second) = (row["run_id"] for row in sim("list"))
    compared = agentic("sim", "compare", first, second).stdout.splitlines()
    assert compared[4].split() == ["Data", "recorded", "made", "up"]


def test_a_run_whose_report_has_no_room_is_not_lost(
    agentic: Agentic, sim: Callable[..., Any], tmp_path: Path
) -> None:
    """One line: the run is done, why there is no report, and the command that writes it."""
    said = refused(agentic, "run", "sample.md", "--report", str(tmp_path / ("n" * 250)))

    assert "is done, but its report could not be written" in said
    named = said.partition("agentic sim show ")[2].split()[0]
    assert sim("show", named)["status"] == "done"


def test_what_a_saved_file_is_warned_of_is_said_before_it_runs(
    agentic: Agentic, sim: Callable[..., Any], tmp_path: Path
) -> None:
    """A Skill whose every order will be refused is not run without a word."""
    (tmp_path / "stops.md").write_text(TEXT.replace("risk: {", "risk: {require_stop: true, "))

    assert "warning: stops.md:" in agentic("sim", "run", "stops.md").stderr


def test_what_differs_between_runs_is_in_their_comparison(agentic: Agentic, sim: Callable[..., Any]) -> None:
    """Settings that are alike are left out."""
    sim("run", "sample.md")
    sim("run", "sample.md", "--costs", "none", "--cash", "5000")
    ids = [run["run_id"] for run in sim("list")]

    shown = agentic("sim", "compare", *ids).stdout

    assert "Costs" in shown
    assert "5000" in shown
    assert "Seed" not in shown


def test_runs_are_compared_side_by_side(agentic: Agentic, sim: Callable[..., Any]) -> None:
    """A column each, in the order they were named."""
    first, second = sim("run", "sample.md"), sim("run", "sample.md", "--costs", "none")
    assert [row["run_id"] for row in sim("compare", second["run_id"], first["run_id"])] == [
        second["run_id"],
        first["run_id"],
    ]
    shown = agentic("sim", "compare", first["run_id"], second["run_id"]).stdout
    (slippage,) = [line for line in shown.splitlines() if line.startswith("Slippage")]
    assert slippage.split()[-1] == "0.00"
    assert slippage.split()[-2] != "0.00"


def test_a_run_is_exported(sim: Callable[..., Any], tmp_path: Path) -> None:
    """Equity, fills, funding, trades, decisions, figures and report, that agree with each other."""
    done = sim("run", "sample.md")
    files = {Path(name).name: Path(name) for name in sim("export", "last", "--to", "out/here")["files"]}
    tables = {
        name: list(csv.DictReader(path.open())) for name, path in files.items() if name.endswith(".csv")
    }

    assert {path.parent for path in files.values()} == {Path("out/here")}
    assert len(tables["fills.csv"]) == done["metrics"]["fills"]
    assert len(tables["trades.csv"]) == done["metrics"]["trades"] + done["metrics"]["open_trades"]
    assert float(tables["equity.csv"][-1]["equity"]) == pytest.approx(float(done["metrics"]["final_equity"]))
    assert parquet.read_table(files["equity.parquet"]).num_rows == len(tables["equity.csv"]) == 201
    assert json.loads(files["run.json"].read_text())["digests"] == done["digests"]
    decisions = [json.loads(line) for line in files["decisions.jsonl"].read_text().splitlines()]
    assert len(decisions) == done["metrics"]["ticks"]["acted"]
    assert "<html" in files["report.html"].read_text()


def test_an_export_without_room_leaves_nothing(
    agentic: Agentic, sim: Callable[..., Any], tmp_path: Path
) -> None:
    """The last export stays whole, and one line says what was the matter."""
    sim("run", "sample.md")
    sim("export", "last", "--to", "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, most[1]))  # smaller than the report
    try:
        said = refused(agentic, "export", "last", "--to", "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)

    assert said == "out can't be exported to: File too large; nothing was written\n"
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    (tmp_path / "file").touch()
    assert refused(agentic, "export", "last", "--to", "file").startswith(
        "file can't be exported to: File exists"
    )


def test_a_run_without_trades_is_exported_with_heads(sim: Callable[..., Any], tmp_path: Path) -> None:
    """Files that others read keep their columns when there is nothing in them."""
    (tmp_path / "hold.md").write_text(
        skill_text(model="baseline:hold").replace("model_params: {fast: 3, slow: 8, size: 0.1}\n", "")
    )
    sim("run", "hold.md")
    sim("export", "last", "--to", "out")
    for name, column in (("fills", "px"), ("trades", "entry_ts"), ("funding", "rate")):
        (head,) = csv.reader((tmp_path / "out" / f"{name}.csv").open())
        assert column in head


# What was stopped.


def test_a_run_is_deleted(agentic: Agentic, sim: Callable[..., Any]) -> None:
    """With all it recorded; then there is no such run."""
    done = sim("run", "sample.md")
    assert sim("delete", "last") == {"run_id": done["run_id"], "status": "deleted"}
    assert refused(agentic, "show", done["run_id"]).startswith(f"there is no run {done['run_id']}")


@pytest.fixture
def waiting(sim: Callable[..., Any], database_url: str) -> dict[str, str]:
    """A run that was asked for and waits; gives the digests of one that asked for the same."""
    digests: dict[str, str] = sim("run", "sample.md")["digests"]
    ask_again(database_url, WAITING)
    return digests


def test_a_waiting_run_is_cancelled_and_resumed(
    agentic: Agentic, sim: Callable[..., Any], waiting: dict[str, str]
) -> None:
    """`show` says how it stands and how it goes on; then it gives what it would have given."""
    shown = agentic("sim", "show", WAITING).stdout
    assert shown == f"run {WAITING} is queued\n`agentic sim resume 000000aa` goes on with it\n"
    assert sim("cancel", WAITING) == {"run_id": WAITING, "status": "cancelled"}
    assert refused(agentic, "cancel", WAITING) == f"run {WAITING} can't be cancelled: it is cancelled\n"
    shown = agentic("sim", "show", WAITING).stdout
    assert shown == f"run {WAITING} is cancelled\n`agentic sim resume 000000aa` goes on with it\n"
    assert (
        refused(agentic, "export", WAITING, "--to", "x") == f"run {WAITING} is cancelled; it has no results\n"
    )
    assert "cancelled" in agentic("sim", "list").stdout

    assert sim("resume", "000000aa")["digests"] == waiting
    assert refused(agentic, "resume", WAITING) == f"run {WAITING} is done; it can't be carried out again\n"


def test_a_person_sees_only_their_own_runs(agentic: Agentic, sim: Callable[..., Any]) -> None:
    """Neither by list nor by id."""
    done = sim("run", "sample.md")
    other = ("--user", "other@localhost")
    assert json.loads(agentic(*other, "sim", "list", "--json").stdout) == []
    for command in ("show", "cancel", "delete", "resume"):
        answer = agentic(*other, "sim", command, done["run_id"])
        assert (answer.exit_code, answer.stdout) == (1, "")
        assert answer.stderr.startswith(f"there is no run {done['run_id']}")
    assert sim("show", "last")["status"] == "done"
