"""A process's language models for tests: none, or those that a stand-in of the Messages API plays."""

from decimal import Decimal
from typing import Any

from agent.allowance import Allowance
from agent.gate import Gate
from agent.mcp_servers import McpServers
from agent.models import AnthropicDoor
from agent.provider import Provider
from config.models import ModelTable, load_models
from domain.time import ManualClock

KEY = "sk-test-planted-key"
NOW = 1_780_000_000_000
"""When calls are made, 2026-05-28; the price of that day is theirs."""

PLENTY = Allowance(Decimal(100), Decimal(100), Decimal(10_000), Decimal(10_000))


def provider(
    url: str | None = None,
    *,
    allowance: Allowance = PLENTY,
    at_once: int = 16,
    table: ModelTable | None = None,
    now_ms: int = NOW,
    servers: McpServers | None = None,
    **own: Any,
) -> Provider:
    """Models that answer at `url`, or none. The clock stands still."""
    door = None if url is None else AnthropicDoor(KEY, base_url=url)
    return Provider(
        table=table or load_models(),
        allowance=allowance,
        clock=ManualClock(now_ms),
        gate=Gate(at_once),
        open_door=None if door is None else lambda: door,
        route=url or "nowhere",
        servers=servers,
        **own,
    )


NO_MODELS = provider()
"""What baselines need."""
