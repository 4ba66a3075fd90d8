"""How processes and their children look on a terminal."""

from typing import Any

import pytest

from cli.output import emit
from cli.processes_views import ended, summaries, summary, trees
from cli.running import process
from domain.time import parse_ts
from supervisor.children import ChildView, State, Tree

NOW = parse_ts("2030-01-01T12:00:00Z")


def view(name: str, state: State = State.RUNNING, **rest: Any) -> ChildView:
    """A child of this test's own."""
    fields = {"group": "web", "kind": "service", "since_ts": NOW - 60_000, **rest}
    return ChildView(name=name, state=state, **fields)


def tree(*children: ChildView, **rest: Any) -> Tree:
    """A process with these children."""
    fields = {
        "owner": "host:7:a",
        "host": "host",
        "pid": 7,
        "groups": ["web", "sim"],
        "started_ts": NOW - 7_200_000,
        "now_ts": NOW,
        "is_draining": False,
        "problems": [],
        **rest,
    }
    return Tree(children=list(children), **fields)


def shown(capsys: pytest.CaptureFixture[str], *trees_of: Tree, is_here: bool = True) -> list[str]:
    """The lines of `ps`."""
    emit([process(one, seen_ts=NOW, is_here=is_here) for one in trees_of], False, trees)
    return capsys.readouterr().out.splitlines()


def test_each_child_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """An actor with its mailbox and what it has in hand; errors are cut to a line."""
    engine = view(
        "engine:a", kind="actor", depth=3, oldest_ms=61_000, in_hand="Submit", in_hand_ms=5_000, restarts=2
    )
    failed = view("sims", State.FAILED, last_error="ValueError: " + "x" * 200)
    head, _, first, second, third = shown(capsys, tree(view("page"), engine, failed))

    assert head == "Process 7 on host: web, sim, up 2 h"
    assert first.split() == ["page", "web", "running", "1", "min", "0"]
    assert second.split() == [
        "engine:a",
        "web",
        "running",
        "1",
        "min",
        "2",
        "3",
        "1",
        "min",
        "Submit",
        "(5",
        "s)",
    ]
    assert third.rstrip().endswith("x…")


def test_a_childs_name_can_not_act_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor can an error, which may be somebody else's text."""
    lines = shown(capsys, tree(view("\x1b[2J", last_error="[bold]\x07")))

    assert "\\x1b[2J" in lines[-1]
    assert "[bold]\\x07" in lines[-1]


def test_what_is_left_out_and_where_it_was_seen_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A process elsewhere shows the beginning of a long list."""
    lines = shown(capsys, tree(view("page"), left_out=300, is_draining=True), is_here=False)

    assert lines[0] == (
        "Process 7 on host (as it last showed itself, 2030-01-01T12:00:00Z): web, sim, up 2 h, ending"
    )
    assert lines[-1] == "… and 300 more, which it shows on its own machine"


def test_the_status_counts_and_says_what_is_wrong() -> None:
    """In a few lines for each process."""
    bad = tree(view("page"), view("sims", State.FAILED, restarts=8), problems=["sims is failed: OSError: no"])
    found = [summary(process(one, seen_ts=NOW, is_here=True)) for one in (tree(view("page")), bad)]

    assert summaries(found).splitlines() == [
        "Process 7 on host is up since 2030-01-01T10:00:00Z (2 h)",
        "  groups    web, sim",
        "  children  1 running; 0 restarts",
        "  problems  none",
        "",
        "Process 7 on host is up since 2030-01-01T10:00:00Z (2 h)",
        "  groups    web, sim",
        "  children  1 failed, 1 running; 8 restarts",
        "  problems",
        "  - sims is failed: OSError: no",
    ]


def test_what_has_ended_and_what_has_not() -> None:
    """A line for each."""
    assert ended({"stopped": [7], "left": ["process 8 has not ended after 60 s"]}).splitlines() == [
        "Process 7 has ended.",
        "process 8 has not ended after 60 s",
    ]
