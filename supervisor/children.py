"""The parts of the program while it is up: started in order, stopped the other way round."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import msgspec

log = logging.getLogger(__name__)


class Child(msgspec.Struct, frozen=True):
    """One part: entering it starts it, leaving it stops it, which may take `stop_s` and no longer."""

    name: str
    running: AbstractAsyncContextManager[object]
    stop_s: float = 5.0


@asynccontextmanager
async def started(children: Sequence[Child]) -> AsyncIterator[None]:
    """Start all children in order. When one can't start, those before it are stopped again."""
    async with AsyncExitStack() as stack:
        for child in children:
            await stack.enter_async_context(_kept_to_its_time(child))
        yield


@asynccontextmanager
async def _kept_to_its_time(child: Child) -> AsyncIterator[None]:
    await child.running.__aenter__()
    try:
        yield
    finally:
        try:
            async with asyncio.timeout(child.stop_s):
                await child.running.__aexit__(None, None, None)
        except TimeoutError:
            log.warning("%s did not stop in %s s and is left behind", child.name, child.stop_s)
