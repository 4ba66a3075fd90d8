"""The names a Skill may use: the trading tools, and the baselines that ship with what each needs."""

import msgspec

TRADING_TOOLS = (
    "get_bars",
    "get_portfolio",
    "get_orders",
    "get_funding",
    "search_news",
    "propose_order",
    "cancel_order",
    "set_protection",
    "close_position",
)
"""Every trading tool, in the order in which a model is shown them. MCP tools are named `server.tool`."""

ORDER_TOOLS = frozenset({"propose_order"})
"""The tools that can open a position."""


class Baseline(msgspec.Struct, frozen=True):
    """What a built-in baseline asks of the Skill that uses it. Every parameter is required and above zero."""

    tools: tuple[str, ...] = ()
    whole_params: tuple[str, ...] = ()
    amount_params: tuple[str, ...] = ()
    sets_stops: bool = False

    @property
    def params(self) -> tuple[str, ...]:
        return self.whole_params + self.amount_params


_TRADES = ("get_bars", "get_portfolio", "propose_order")

BASELINES = {
    "hold": Baseline(),
    "buy-and-hold": Baseline(tools=_TRADES),
    "sma-cross": Baseline(tools=_TRADES, whole_params=("fast", "slow"), amount_params=("size",)),
    "random": Baseline(tools=_TRADES, amount_params=("size",)),
}
