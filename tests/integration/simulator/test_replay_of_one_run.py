"""A replay of one run is held to what that run was answered, whatever was answered to the same requests since."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from control import run_bundle, run_check, runs
from control.errors import Invalid
from db.pool import Database
from db.runs import create_run
from simulator.run import Finished
from simulator.spec import from_config, to_config
from tests.integration.simulator.samples import LATER, keep_market, row_of
from tests.integration.simulator.thinking import ask
from tests.standins.brains import trend
from tests.standins.messages_api import Answers, stand_in
from tests.standins.provider import NO_MODELS, provider
from tests.standins.steps import Step, refuse, say


def overloaded(body: Mapping[str, Any], number: int) -> Step:
    """Turns two of three requests away, for longer than anybody waits."""
    return (
        refuse(529, "overloaded_error", headers={"retry-after": "900"}) if number % 3 else trend(body, number)
    )


def still(body: Mapping[str, Any], number: int) -> Step:
    """Never does anything."""
    return say("I hold.")


async def made(database: Database, owner: UUID, answers: Answers, route: str, **how: Any) -> Finished:
    """A run whose model answers like this, by a gateway of this name."""
    async with stand_in(answers) as api:
        models = msgspec.structs.replace(provider(api.url), route=route)
        (run_id,) = await ask(database, owner, models, **how)
        return await runs.carry_out(database, run_id, models)


async def replayed(database: Database, owner: UUID, done: Finished) -> run_check.Check:
    """Replay a run as `agentic sim replay` does."""
    row = await row_of(database, owner, UUID(done.record.run_id))
    again = await run_check.ask_again(database, owner, row)
    return await run_check.replay_and_compare(
        database, again, NO_MODELS, row.digests or {}, row.manifest or {}
    )


async def handed_on(
    database: Database, owner: UUID, done: Finished, other: Database, file: Path
) -> run_check.Check:
    """Write a run into a file, take it in elsewhere, and replay it there."""
    await run_bundle.bundle(database, await row_of(database, owner, UUID(done.record.run_id)), file)
    run_id, held = await run_bundle.take_in(other, owner, file, LATER)
    return await run_check.replay_and_compare(other, run_id, NO_MODELS, held.digests, held.run.manifest)


async def test_another_gateways_answers_are_not_taken_for_its_own(
    database: Database, owner: UUID, another_database: Database, tmp_path: Path
) -> None:
    """Two runs ask the same by two gateways: each replays, here and from its bundle, by what it was answered."""
    await keep_market(database)
    both = [await made(database, owner, answers, answers.__name__) for answers in (trend, still)]
    assert both[0].digests["ledger"] != both[1].digests["ledger"]
    for done in both:
        assert (await replayed(database, owner, done)).differs == []
        file = tmp_path / done.record.run_id
        assert (await handed_on(database, owner, done, another_database, file)).differs == []


async def test_what_failed_then_fails_in_a_replay_though_it_was_answered_since(
    database: Database, owner: UUID, another_database: Database, tmp_path: Path
) -> None:
    """A run is made again because half of it failed; the first is then still what it was, here and in its bundle."""
    await keep_market(database)
    first = await made(database, owner, overloaded, "here")
    second = await made(database, owner, trend, "here")
    assert first.record.ticks["failed"] > 3
    assert "failed" not in second.record.ticks

    for done in (first, second):
        assert (await replayed(database, owner, done)).differs == []
    file = tmp_path / "first"
    assert (await handed_on(database, owner, first, another_database, file)).differs == []


async def test_a_live_run_is_not_replayed_from_another_ones_record(
    database: Database, owner: UUID, tmp_path: Path
) -> None:
    """What it was answered is not recorded, though answers to the same requests are: that is said, and no file made."""
    await keep_market(database)
    await made(database, owner, trend, "here")
    live = await made(database, owner, still, "here", mode="live")
    with pytest.raises(Invalid, match="not recorded"):
        await replayed(database, owner, live)
    with pytest.raises(Invalid, match="not recorded"):
        await run_bundle.bundle(
            database, await row_of(database, owner, UUID(live.record.run_id)), tmp_path / "live"
        )


async def test_nobody_replays_the_run_of_another_person(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """People write the settings of their runs; a stranger's run that is named there is not there for them."""
    await keep_market(database)
    done = await made(database, owner, trend, "here")
    theirs = await made(database, other_user, trend, "here")
    row = await row_of(database, other_user, UUID(theirs.record.run_id))
    spec = msgspec.structs.replace(from_config(row.config), mode="replay", of_run=done.record.run_id)
    async with database.as_user(other_user) as connection:
        run_id = await create_run(connection, other_user, row.skill_version_id, to_config(spec))
    with pytest.raises(Invalid, match="is not there any more"):
        await runs.carry_out(database, run_id, NO_MODELS)
