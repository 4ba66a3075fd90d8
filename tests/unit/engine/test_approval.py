"""Nothing reaches a venue but through the engine: an approval has one maker, and nothing else will do."""

import ast
from pathlib import Path

from mypy import api

from tests.architecture.repository import ROOT, rooms

SNIPPET = """
from brokers.base import Approved, Broker
from domain.orders import Order

async def send(broker: Broker, order: Order, approved: Approved[Order], number: Approved[int]) -> None:
    await broker.place(approved)
    await broker.cancel(number)
    await broker.place(order)
    await broker.cancel(order.number)
    await broker.place(number)
    Approved(order)
"""


def calls(path: Path) -> list[str]:
    """The names that a module calls."""
    found = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return [
        each.id if isinstance(each, ast.Name) else each.attr
        for each in found
        if isinstance(each, ast.Name | ast.Attribute)
    ]


def modules() -> list[Path]:
    """Every module of the product."""
    return [path for room in rooms() for path in sorted((ROOT / room).rglob("*.py"))]


def test_only_the_engines_approval_makes_a_seal() -> None:
    """One module calls Seal and Approved; all others have to come by an approval."""
    assert len(modules()) > 50
    makers = [path for path in modules() if {"Seal", "Approved"} & set(calls(path))]
    assert makers == [ROOT / "engine" / "approval.py"]


def test_only_the_engine_approves() -> None:
    """`approve` is called where the order was checked, and nowhere else."""
    callers = [path for path in modules() if "approve" in calls(path)]
    assert callers == [ROOT / "engine" / "engine.py"]


def test_an_order_that_was_not_approved_is_a_type_error(tmp_path: Path) -> None:
    """The type checker takes what is approved for what it is, and objects to everything else, line by line."""
    (tmp_path / "sends.py").write_text(SNIPPET)
    config = f"--config-file={ROOT / 'pyproject.toml'}"
    shown, _, status = api.run([config, f"--cache-dir={tmp_path / 'cache'}", str(tmp_path / "sends.py")])
    lines = sorted({int(line.split(":")[1]) for line in shown.splitlines() if ": error:" in line})
    assert status == 1
    assert lines == [8, 9, 10, 11], shown
