"""Parts are started in order and stopped the other way round, each in its time."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from supervisor.children import Child, started


class Diary:
    """Children that write down what happens to them."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def child(self, name: str, *, fails: bool = False, hangs: bool = False, stop_s: float = 5.0) -> Child:
        """A child that starts and stops, or fails to start, or never stops."""

        @asynccontextmanager
        async def running() -> AsyncIterator[None]:
            self.said.append(f"start {name}")
            if fails:
                raise OSError(f"{name} can't start")
            yield
            if hangs:
                await asyncio.Event().wait()
            self.said.append(f"stop {name}")

        return Child(name, running(), stop_s)


@pytest.fixture
def diary() -> Diary:
    """A diary of this test's own."""
    return Diary()


async def test_children_stop_in_the_reverse_order(diary: Diary) -> None:
    """What was started last may still need what was started first."""
    async with started([diary.child("database"), diary.child("page")]):
        diary.said.append("up")

    assert diary.said == ["start database", "start page", "up", "stop page", "stop database"]


async def test_when_one_can_not_start_those_before_it_are_stopped(diary: Diary) -> None:
    """And those after it are never started."""
    children = [diary.child("database"), diary.child("page", fails=True), diary.child("chat")]

    with pytest.raises(OSError, match="page can't start"):
        async with started(children):
            pass

    assert diary.said == ["start database", "start page", "stop database"]


async def test_an_error_while_up_stops_all(diary: Diary) -> None:
    """And passes on."""
    with pytest.raises(ValueError, match="boom"):
        async with started([diary.child("database"), diary.child("page")]):
            raise ValueError("boom")

    assert diary.said[-2:] == ["stop page", "stop database"]


async def test_a_child_that_does_not_stop_is_left_behind(
    diary: Diary, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are stopped all the same, and it is told."""
    with caplog.at_level(logging.WARNING):
        async with started([diary.child("database"), diary.child("page", hangs=True, stop_s=0)]):
            pass

    assert diary.said[-1] == "stop database"
    assert [record.getMessage() for record in caplog.records] == [
        "page did not stop in 0 s and is left behind"
    ]
