"""docs/kernel.md says what the kernel does: its code runs as it stands, and its tables name what there is."""

import ast
import inspect
import re

from actors.kernel import WhenFull
from tests.architecture.repository import ROOT

TEXT = (ROOT / "docs" / "kernel.md").read_text("utf-8")


async def test_the_example_runs() -> None:
    """From top to bottom; it asserts what it claims."""
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    code = compile("".join(blocks), "docs/kernel.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    running = eval(code, {"__name__": "kernel_doc"})

    assert inspect.iscoroutine(running)
    await running


def test_every_file_of_the_kernel_is_in_the_list() -> None:
    """So that a newcomer misses none, and looks for none that is gone."""
    listed = set(re.findall(r"`(\w+\.py)`", TEXT.split("## Where it is")[1]))
    present = {path.name for path in (ROOT / "actors" / "kernel").glob("*.py")} - {"__init__.py"}

    assert listed == present


def test_every_rule_for_a_full_mailbox_is_told() -> None:
    """One row for each."""
    assert set(re.findall(r"^\| `([A-Z_]+)`", TEXT, re.MULTILINE)) == {rule.name for rule in WhenFull}
