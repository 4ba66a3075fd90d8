"""Replaying a run and holding it to what it came to: the same to the byte, or which digest differs and why."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec

from agent.provider import Provider
from control.errors import Invalid
from control.runs import carry_out
from db.pool import Database
from db.runs import RunRow, create_run
from domain.tools import visible
from simulator.report.manifest import lasting
from simulator.run import Progress
from simulator.spec import from_config, to_config

DIGESTS = ("manifest", "ledger", "report")
MOST_DIFFERENCES = 5


class Check(msgspec.Struct, frozen=True):
    """How a replay compares. `differs` names digests; `why` says what the manifests do not have in common."""

    run_id: UUID
    expected: dict[str, str]
    found: dict[str, str]
    why: tuple[str, ...] = ()

    @property
    def differs(self) -> list[str]:
        """The digests that are not what they were."""
        return [name for name in DIGESTS if self.expected.get(name) != self.found.get(name)]


async def ask_again(database: Database, user_id: UUID, row: RunRow) -> UUID:
    """Ask for a replay of a finished run, with what it was answered and nothing else. Raises Invalid."""
    if row.digests is None:
        raise Invalid(f"run {row.id} is {row.status}; only a run that is done can be replayed and compared")
    spec = msgspec.structs.replace(from_config(row.config), mode="replay", of_run=str(row.id))
    async with database.as_user(user_id) as connection:
        return await create_run(connection, user_id, row.skill_version_id, to_config(spec))


async def replay_and_compare(
    database: Database,
    run_id: UUID,
    provider: Provider,
    digests: dict[str, str],
    manifest: dict[str, Any],
    progress: Progress = lambda done, total: None,
) -> Check:
    """Carry a replay out and hold it to these digests. Raises Invalid when it does not come to its end."""
    finished = await carry_out(database, run_id, provider, progress)
    why = tuple(_differences(lasting(manifest), lasting(finished.record.manifest), ""))
    expected = {name: digests[name] for name in DIGESTS}
    return Check(run_id, expected, finished.digests, why[:MOST_DIFFERENCES])


def _differences(one: Any, other: Any, path: str) -> Iterator[str]:
    """What two manifests do not have in common, a line each: "caps.max_leverage was 3 and is 5"."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from _differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _differences(left, right, f"{path}[{number}]")
    elif one != other:
        yield f"{visible(path, 80)} was {_short(one)} and is {_short(other)}"


def _short(value: Any) -> str:
    return "nothing" if value is None else visible(msgspec.json.encode(value).decode(), 60)
