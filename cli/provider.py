"""The language models of this process, put together from its settings. Nothing is opened before it is used."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from agent.allowance import Allowance
from agent.gate import Gate
from agent.mcp_servers import McpServers
from agent.models import BASE_URL, AnthropicDoor
from agent.provider import Provider
from config.mcp import read_servers
from config.models import load_models
from config.settings import Settings
from domain.time import Clock

MISSING = "there is no key for language models; set ANTHROPIC_API_KEY, or replay what is recorded with --mode replay"


@asynccontextmanager
async def provider_of(settings: Settings, clock: Clock) -> AsyncIterator[Provider]:
    """Put together what thinking needs, and close at the end what was opened.

    Raises ModelTableError or McpServerError for settings that can't be used.
    """
    key = settings.anthropic_api_key

    @cache
    def open_door() -> AnthropicDoor:
        assert key is not None
        return AnthropicDoor(
            key.get_secret_value(),
            base_url=settings.model_base_url,
            auth=settings.model_auth,
            api_version=settings.model_api_version,
        )

    servers = McpServers(read_servers(settings.mcp_servers))
    provider = Provider(
        table=load_models(settings.models_file),
        allowance=Allowance(
            per_call_usd=settings.inference_usd_per_call,
            per_tick_usd=settings.inference_usd_per_tick,
            per_user_day_usd=settings.inference_usd_per_user_day,
            per_day_usd=settings.inference_usd_per_day,
        ),
        clock=clock,
        gate=Gate(settings.model_concurrency),
        open_door=None if key is None else open_door,
        route=(settings.model_base_url or BASE_URL).rstrip("/"),
        missing=MISSING,
        timeout_s=settings.model_timeout_s,
        servers=servers,
    )
    try:
        yield provider
    finally:
        await servers.close()
        if open_door.cache_info().currsize:
            await open_door().close()
