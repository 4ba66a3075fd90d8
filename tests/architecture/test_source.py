"""Habits of the source that a reader relies on."""

import ast
import re
from collections.abc import Iterator

from tests.architecture.repository import sources

SHORT_METHOD_LINES = 8
"""A method this short may let its name speak, or the protocol that it implements."""

MONEY = re.compile(r"(^|_)(px|price|usd|cash|equity|fee|fees|margin|notional|pnl)($|_)")


def undocumented(tree: ast.Module) -> Iterator[str]:
    """The public things of a module that say nothing of themselves."""
    if tree.body and not ast.get_docstring(tree):
        yield "the module"
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if not node.name.startswith("_"):
            if not ast.get_docstring(node):
                yield node.name
            yield from (f"{node.name}.{name}" for name in _undocumented_methods(node))


def _undocumented_methods(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.ClassDef):
        for method in node.body:
            if not isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) or method.name.startswith("_"):
                continue
            if _lines(method) > SHORT_METHOD_LINES and not ast.get_docstring(method):
                yield method.name


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def floats_for_money(tree: ast.Module) -> Iterator[str]:
    """The fields and parameters whose name is of money and whose type is float."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, annotation = node.target.id, node.annotation
        elif isinstance(node, ast.arg) and node.annotation:
            name, annotation = node.arg, node.annotation
        else:
            continue
        if MONEY.search(name) and "float" in ast.unparse(annotation).split(" | "):
            yield f"{node.lineno}: {name}"


def test_what_is_public_says_what_it_is_for() -> None:
    """Modules, classes, functions and all but the shortest methods have a docstring."""
    found = {path: list(undocumented(tree)) for path, tree in sources()}

    assert {path: names for path, names in found.items() if names} == {}


def test_a_missing_docstring_is_found() -> None:
    """A bare module, class, function and long method are each reported; private ones are not."""
    long_body = "\n".join(f"        x = {i}" for i in range(SHORT_METHOD_LINES))
    tree = ast.parse(
        f"class Book:\n    def apply(self):\n{long_body}\n    def size(self): return 1\n"
        "def _private(): pass\n"
        "def work(): pass\n"
    )

    assert list(undocumented(tree)) == ["the module", "Book", "Book.apply", "work"]


def test_money_is_never_a_float_where_it_is_owed() -> None:
    """In the vocabulary, the engine and the brokers a price or an amount is a Decimal, or whole ticks."""
    found = {path: list(floats_for_money(tree)) for path, tree in sources("domain", "engine", "brokers")}

    assert {path: lines for path, lines in found.items() if lines} == {}


def test_a_float_for_money_is_found() -> None:
    """Fields, parameters and optional ones are each reported; floats of other things are not."""
    tree = ast.parse("mark_px: float\nshare: float\ndef pay(fee_usd: float | None, rate: float): ...")

    assert list(floats_for_money(tree)) == ["1: mark_px", "3: fee_usd"]
