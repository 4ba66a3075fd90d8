"""`agentic skill …` from an empty folder to a kept, compared and archived Skill."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.conftest import Agentic


def document(agentic: Agentic, *arguments: str, exit_code: int = 0) -> Any:
    """What a command prints with --json."""
    result = agentic(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (exit_code, "")
    return json.loads(result.stdout)


@pytest.fixture
def saved(agentic: Agentic) -> Path:
    """A Skill called btc-trend: its file here, its first version kept."""
    assert agentic("skill", "new", "btc-trend").exit_code == 0
    assert agentic("skill", "save", "btc-trend.md").exit_code == 0
    return Path("btc-trend.md")


def edit(file: Path, before: str, after: str) -> None:
    """Change a file by hand."""
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def test_the_first_steps_lead_from_one_to_the_next(agentic: Agentic) -> None:
    """Each step says the command that comes after it."""
    new = agentic("skill", "new", "btc-trend")
    check = agentic("skill", "check", "btc-trend.md")
    save = agentic("skill", "save", "btc-trend.md")

    assert (new.exit_code, check.exit_code, save.exit_code) == (0, 0, 0)
    assert "agentic skill check btc-trend.md" in new.stdout
    assert "agentic skill save btc-trend.md" in check.stdout
    assert save.stdout.startswith("Saved btc-trend@1 (")
    assert (new.stderr, check.stderr, save.stderr) == ("", "", "")


def test_a_new_skill_for_a_language_model_names_the_one_that_is_set(
    agentic: Agentic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One setting decides; what is written passes the check without a remark."""
    monkeypatch.setenv("AGENTIC_MODEL", "anthropic:claude-sonnet-5-5")

    assert agentic("skill", "new", "btc-mind", "--language-model").exit_code == 0

    report = document(agentic, "skill", "check", "btc-mind.md")
    assert (report["model"], report["remarks"]) == ("anthropic:claude-sonnet-5-5", [])


def test_a_model_that_a_file_of_facts_describes_is_known(
    agentic: Agentic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is doubted neither by the check nor at saving, and its own bounds hold."""
    Path("models.toml").write_text("[models.my-model]\nmax_output_tokens = 1000\n")
    monkeypatch.setenv("AGENTIC_MODEL", "anthropic:my-model")
    agentic("skill", "new", "btc-mind", "--language-model")
    unknown = agentic("skill", "save", "btc-mind.md")
    monkeypatch.setenv("AGENTIC_MODELS_FILE", "models.toml")

    assert "is not in the model table" in unknown.stderr
    assert document(agentic, "skill", "check", "btc-mind.md")["remarks"] == []
    assert agentic("skill", "save", "btc-mind.md").stderr == ""

    edit(Path("btc-mind.md"), "# model_params: {max_tokens: 4096}", "model_params: {max_tokens: 1001}")
    assert "must be a whole number from 256 to 1000" in agentic("skill", "save", "btc-mind.md").stderr


def test_a_new_skill_replaces_no_file(agentic: Agentic) -> None:
    """A file of that name is left as it is."""
    Path("btc-trend.md").write_text("mine")

    result = agentic("skill", "new", "btc-trend")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "btc-trend.md exists already and is left as it is; choose another name\n"
    assert Path("btc-trend.md").read_text() == "mine"


@pytest.mark.parametrize("name", ["Bad Name", "../up", "a--b", "", "x" * 65])
def test_a_name_that_no_skill_can_have_makes_no_file(agentic: Agentic, name: str) -> None:
    """It is refused in one line."""
    result = agentic("skill", "new", name)

    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert list(Path().rglob("*.md")) == []


def test_check_names_every_line_that_is_wrong(agentic: Agentic, saved: Path) -> None:
    """A line on stderr for each, nothing on stdout, exit code 1."""
    edit(saved, "max_leverage", "max_lev")
    edit(saved, "[BTC]", "[]")

    result = agentic("skill", "check", str(saved))

    assert (result.exit_code, result.stdout) == (1, "")
    assert [line.split(" ")[:2] for line in result.stderr.splitlines()] == [
        ["btc-trend.md:7:", "market.symbols"],
        ["btc-trend.md:10:", "risk.max_lev"],
    ]


def test_check_as_json_reports_the_same_problems(agentic: Agentic, saved: Path) -> None:
    """A program reads them from stdout, and sees by the exit code that there are some."""
    edit(saved, "max_leverage", "max_lev")

    found = document(agentic, "skill", "check", str(saved), exit_code=1)

    assert found["is_usable"] is False
    assert [(remark["line"], remark["path"]) for remark in found["remarks"]] == [(10, "risk.max_lev")]


def test_check_shows_the_platforms_caps(
    agentic: Agentic, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they are tighter than the Skill's, and whose each cap is."""
    monkeypatch.setenv("AGENTIC_PLATFORM_CAPS", '{"max_leverage": 2}')

    found = document(agentic, "skill", "check", str(saved))
    shown = agentic("skill", "check", str(saved)).stdout

    assert found["caps"][0] == {"name": "max_leverage", "value": "2", "origin": "platform", "asked": "3"}
    assert "the platform is tighter than the Skill's 3" in shown


def test_check_opens_no_database(agentic: Agentic, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It works with no database to be had."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")

    assert agentic("skill", "check", str(saved)).exit_code == 0


def test_saving_the_same_again_makes_no_version(agentic: Agentic, saved: Path) -> None:
    """A comment more is no other Skill."""
    edit(saved, "# exposure over equity", "# how far it may go")

    result = agentic("skill", "save", str(saved))

    assert result.stdout.startswith("Nothing new, it says the same as btc-trend@1 (")


def test_versions_are_listed_and_shown(agentic: Agentic, saved: Path) -> None:
    """The list has the newest; one version shows its file and the others there are."""
    edit(saved, "fast: 20", "fast: 10")
    second = document(agentic, "skill", "save", str(saved))

    (row,) = document(agentic, "skill", "list")
    shown = document(agentic, "skill", "show", "btc-trend@1")

    assert (row["name"], row["latest_number"], row["latest_digest"]) == ("btc-trend", 2, second["digest"])
    assert "fast: 20" in shown["shown"]["body"]
    assert [each["number"] for each in shown["versions"]] == [1, 2]
    assert shown["shown"]["created_ts"].endswith("Z")
    assert "> " in agentic("skill", "show", "btc-trend@1").stdout


def test_diff_compares_versions_and_files(agentic: Agentic, saved: Path) -> None:
    """Each key by its path and the prompt by its lines; equals say so."""
    edit(saved, "fast: 20", "fast: 10")
    saved.write_text(saved.read_text() + "Be patient.\n")

    changes = agentic("skill", "diff", "btc-trend", str(saved)).stdout
    same = agentic("skill", "diff", "btc-trend", "btc-trend@1").stdout

    assert "model_params.fast: 20 → 10" in changes
    assert "+Be patient." in changes
    assert same == "btc-trend and btc-trend@1 say the same.\n"


def test_what_is_exported_can_be_saved_again(agentic: Agentic, saved: Path) -> None:
    """The printed file is the kept bytes, the written one the same, and both mean the same version."""
    printed = agentic("skill", "export", "btc-trend@1").stdout
    agentic("skill", "export", "btc-trend", "--to", "copy.md")
    again = agentic("skill", "export", "btc-trend", "--to", "copy.md")

    assert Path("copy.md").read_text() == printed
    assert document(agentic, "skill", "save", "copy.md")["is_new"] is False
    assert (again.exit_code, again.stdout) == (1, "")


def test_an_archived_skill_leaves_the_list(agentic: Agentic, saved: Path) -> None:
    """The empty list says how to start."""
    agentic("skill", "archive", "btc-trend")

    assert "agentic skill new" in agentic("skill", "list").stdout
    assert "btc-trend (in the archive)" in agentic("skill", "list", "--archived").stdout


@pytest.mark.parametrize("command", ["show", "export", "archive"])
def test_a_skill_that_does_not_exist_is_one_line(agentic: Agentic, command: str) -> None:
    """Exit code 1, and where to look."""
    result = agentic("skill", command, "nothing")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("there is no skill nothing; see `agentic skill list`")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "x.md: No such file or directory\n"),
        (b"---\nname: \xff\n---\n", "x.md:2: the byte 0xff is not UTF-8; save the file as UTF-8\n"),
        (b"---\n" * 40_000, "x.md:1: the file is longer than the 65536 bytes that are allowed\n"),
    ],
)
def test_a_file_that_can_not_be_read_is_one_line(agentic: Agentic, content: bytes | None, line: str) -> None:
    """A missing, a binary and a huge one."""
    if content is not None:
        Path("x.md").write_bytes(content)

    for command in ("check", "save"):
        result = agentic("skill", command, "x.md")
        assert (result.exit_code, result.stdout, result.stderr) == (1, "", line)


def test_commands_act_as_the_person_named(agentic: Agentic, saved: Path) -> None:
    """Whose Skills are their own; nobody is made up."""
    assert agentic("user", "add", "Ann@Example.com").stdout == "ann@example.com is added.\n"
    assert document(agentic, "user", "add", "ann@example.com")["is_new"] is False

    assert document(agentic, "--user", "ANN@example.com", "skill", "list") == []
    assert len(document(agentic, "skill", "list")) == 1
    nobody = agentic("--user", "eve@example.com", "skill", "list")
    assert (nobody.exit_code, nobody.stdout) == (1, "")
    assert (
        nobody.stderr == "there is no user eve@example.com; add one with `agentic user add eve@example.com`\n"
    )


@pytest.mark.parametrize("email", ["ann", "@x", "a b@c", "a@b\x1b[2J"])
def test_an_email_of_another_form_adds_nobody(agentic: Agentic, email: str) -> None:
    """It is refused in one line, with nothing in it that a terminal would act on."""
    result = agentic("user", "add", email)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("is not an email address; write it as name@host\n")
    assert "\x1b" not in result.stderr
