"""The groups of `agentic up`: which parts of the program a process runs.

A group is a module with one function, `children(home, supervisor)`, that gives the children to start, in order. What
it must do at run time, such as a child for each deployment, it does through the supervisor it is handed.
"""

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from cli.boot import House
    from supervisor.children import Child
    from supervisor.supervisor import Supervisor

    Children = Callable[[House, Supervisor], Sequence[Child]]

GROUPS = {
    "web": "cli.groups.web",
    "notifications": "cli.groups.notifications",
    "deployments": "cli.groups.deployments",
    "sim": "cli.groups.sim",
    "ingest": "cli.groups.ingest",
    "chat": "cli.groups.chat",
}
"""Group → its module, in the order of their start. They stop the other way round, so the page is served to the end."""

ALONE = "deployment:"
"""What precedes the id of a deployment that a process carries out alone, in the name of that group."""


def there_are() -> list[str]:
    """The groups that this program has."""
    return [name for name, module in GROUPS.items() if find_spec(module)]


def children_of(name: str) -> "Children":
    """Load a group's function. Its imports may be heavy, so only what runs is loaded."""
    children: Children = import_module(GROUPS[name]).children
    return children


def alone(groups: Iterable[str]) -> list[UUID]:
    """The deployments that these groups name one by one. Raises ValueError for what is no whole id."""
    return [UUID(name.removeprefix(ALONE)) for name in groups if name.startswith(ALONE)]
