"""MCP servers of the stand-in, as settings have them."""

import sys
from typing import Any

from config.mcp import McpServer, read_servers
from tests.architecture.repository import ROOT


def program(how: str = "stdio", env: dict[str, str] | None = None, **more: Any) -> McpServer:
    """The stand-in as a program that is started and spoken to by pipes. Its name is `desk`."""
    command = [sys.executable, "-m", "tests.standins.mcp_server", how]
    return read_servers(
        {"desk": {"command": command, "env": {"PYTHONPATH": str(ROOT), **(env or {})}, **more}}
    )["desk"]


def page(url: str, **more: Any) -> McpServer:
    """A server that is reached over HTTP. Its name is `page`."""
    return read_servers({"page": {"url": url, **more}})["page"]
