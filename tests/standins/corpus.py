"""Answers of a model that no program should trip over, as steps for the stand-in of the Messages API.

Made for these tests, after what is known to come: from models, from gateways, and from people who ask for it.
"""

from typing import Any

from tests.standins.steps import Step, call, say

ACTIONS = 200
MEGABYTE = 1024 * 1024


def order(**changes: Any) -> dict[str, Any]:
    """Arguments of an order that is fine, with some of them changed."""
    return {"symbol": "BTC", "side": "buy", "size": "1", "stop_px": "98", **changes}


def propose(given: Any) -> Step:
    """Propose an order with these arguments. A text is sent as it is, be it JSON or not."""
    return call("propose_order", given)


def _thinking(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": "EqQBCkgIBBABGAIi"}


IN_PROSE: dict[str, Step] = {
    "json-in-prose": say('I decided: {"action": "buy", "symbol": "BTC", "size": 0.1}'),
    "json-in-a-fence": say('Here is my call:\n```json\n{"symbol": "BTC", "side": "buy"}\n```'),
    "a-list-of-orders": say('[\n  {"symbol": "BTC", "action": "open_long", "leverage": 10}\n]'),
    "a-blank-between-brackets": say('[ {"symbol": "BTC", "action": "open_long"} ]'),
    "full-width-brackets": say("［｛＂symbol＂：＂BTC＂，＂action＂：＂open_long＂｝］"),
    "curly-quotes": say("{“symbol”: “BTC”, “side”: “buy”}"),
    "several-objects": say('{"BTC": {"signal": "buy"}}\n\n{"ETH": {"signal": "hold"}}'),
    "an-array-never-closed": say('[{"symbol": "BTC", "reasoning": "' + "so " * 2_000),
    "a-bad-escape": say('{"symbol": "BTC", "why": "a \\q "quote" inside"}'),
    "a-tool-tag": say('<invoke name="propose_order"><parameter name="symbol">BTC</parameter></invoke>'),
    "a-function-tag": say('<function=propose_order>{"symbol": "BTC"}</function>'),
    "tool-use-without-a-call": say("I will call propose_order now.").but(stop="tool_use"),
}
"""A call that was only written down: nothing is done about it, and the model is told so."""

EMPTY: dict[str, Step] = {
    "nothing": Step(),
    "empty-text": say(""),
    "blanks": say(" \n\t "),
    "thinking-alone": Step((_thinking("BTC looks strong, so I should buy."),)),
    "thinking-that-was-hidden": Step(({"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix"},)),
}
"""Nothing that could be read."""

BAD_CALLS: dict[str, tuple[Step, str]] = {
    "arguments-cut-off": (propose('{"symbol": "BTC", "side": "buy", "si'), "unreadable"),
    "arguments-in-prose": (propose("buy a little BTC, please"), "unreadable"),
    "arguments-are-a-text": (propose('"BTC buy 0.1"'), "unreadable"),
    "arguments-are-a-list": (propose('["BTC", "buy", "0.1"]'), "unreadable"),
    "arguments-are-a-number": (propose("100"), "unreadable"),
    "arguments-are-null": (propose("null"), "unreadable"),
    "a-bare-nan": (propose('{"symbol": "BTC", "side": "buy", "size": NaN}'), "unreadable"),
    "a-bare-infinity": (propose('{"symbol": "BTC", "side": "buy", "size": -Infinity}'), "unreadable"),
    "nested-without-end": (propose('{"symbol": ' * 5_000 + "1" + "}" * 5_000), "unreadable"),
    "an-unknown-tool": (call("buy_market", {"coin": "BTC", "usd": 1_000}), "unknown_tool"),
    "a-tool-in-other-letters": (call("Propose_Order", order()), "unknown_tool"),
    "a-tool-without-a-name": (call("", order()), "unknown_tool"),
    "a-tool-that-is-not-listed": (call("close_position", {"symbol": "BTC"}), "unknown_tool"),
    "a-tool-with-a-very-long-name": (call("x" * 100_000, {}), "unknown_tool"),
    "no-arguments": (propose({}), "bad_arguments"),
    "an-argument-too-many": (propose(order(leverage=20)), "bad_arguments"),
    "a-side-that-is-none": (propose(order(side="long")), "bad_arguments"),
    "a-size-that-is-a-flag": (propose(order(size=True)), "bad_arguments"),
    "a-size-that-is-a-list": (propose(order(size=["0.1"])), "bad_arguments"),
    "a-size-with-a-unit": (propose(order(size="0.1 BTC")), "bad_arguments"),
    "a-price-that-is-a-range": (propose(order(limit_px="98,000 ~ 102,000")), "bad_arguments"),
    "a-price-that-is-an-object": (propose(order(limit_px={"px": 99})), "bad_arguments"),
    "a-symbol-that-is-a-number": (propose(order(symbol=1)), "bad_arguments"),
    "a-nul-in-the-reason": (propose(order(why="a \0 b")), "bad_arguments"),
    "a-reason-of-a-megabyte": (propose(order(why="so " * (MEGABYTE // 3))), "too_large"),
    "a-symbol-of-a-hundred-thousand-letters": (propose(order(symbol="B" * 100_000)), "too_large"),
}
"""A call that can't be carried out → how it is malformed."""

BAD_ORDERS: dict[str, tuple[Step, str]] = {
    "a-symbol-that-is-a-pair": (propose(order(symbol="BTCUSDT")), "symbols"),
    "a-symbol-of-look-alikes": (propose(order(symbol="ВТС")), "symbols"),
    "a-symbol-with-a-hidden-letter": (propose(order(symbol="BTC\u200b")), "symbols"),
    "a-symbol-that-reads-backwards": (propose(order(symbol="\u202eCTB")), "symbols"),
    "a-symbol-that-is-not-the-skills": (propose(order(symbol="ETH")), "symbols"),
    "a-symbol-that-is-a-path": (propose(order(symbol="../../etc/passwd")), "symbols"),
    "a-size-that-is-nan": (propose(order(size="NaN")), "size"),
    "a-size-without-end": (propose(order(size="Infinity")), "size"),
    "a-size-of-zero": (propose(order(size=0)), "size"),
    "a-negative-size": (propose(order(size="-0.1")), "size"),
    "a-size-beyond-measure": (propose(order(size=1e30)), "size"),
    "a-size-of-a-thousand-digits": (propose(order(size="9" * 1_000)), "size"),
    "a-size-that-would-fill-the-memory": (propose(order(size="1e999999999999")), "size"),
    "a-price-that-would-fill-the-memory": (propose(order(limit_px="-1e-999999999999")), "price"),
    "a-stop-that-is-nan": (propose(order(stop_px="NaN")), "price"),
    "a-size-next-to-nothing": (propose(order(size="1e-30")), "size"),
    "usd-where-base-units-are-meant": (propose(order(size=5_000)), "max_leverage"),
    "a-hundred-times-too-much": (propose(order(size="10")), "max_order_usd"),
    "a-price-of-zero": (propose(order(limit_px=0)), "price"),
    "a-negative-price": (propose(order(limit_px="-99")), "price"),
    "a-price-from-another-market": (propose(order(limit_px="50", stop_px="49")), "price_band_pct"),
    "a-stop-on-the-wrong-side": (propose(order(stop_px="150")), "stop"),
    "no-stop": (propose({"symbol": "BTC", "side": "buy", "size": "1"}), "require_stop"),
    "a-stop-far-away": (propose(order(stop_px="1")), "max_stop_distance_pct"),
    "short-where-it-is-not-allowed": (propose(order(side="sell", stop_px="102")), "allow_short"),
    "reducing-what-is-not-held": (propose(order(side="sell", reduce_only=True)), "reduce_only"),
}
"""A call that is understood and must be refused → by which cap or rule."""

ENDINGS: dict[str, tuple[Step, str]] = {
    "a-refusal": (say("I can't help with that.").but(stop="refusal"), "refusal"),
    "a-refusal-with-a-call": (propose(order()).but(stop="refusal"), "refusal"),
    "cut-at-max-tokens": (say("I will buy because").but(stop="max_tokens"), "max_tokens"),
    "a-call-cut-at-max-tokens": (propose(order()).but(stop="max_tokens"), "max_tokens"),
    "thinking-cut-at-max-tokens": (
        Step((_thinking("On the one hand … " * 200),), "max_tokens"),
        "max_tokens",
    ),
    "a-context-that-is-full": (
        say("So").but(stop="model_context_window_exceeded"),
        "model_context_window_exceeded",
    ),
    "a-cut-stream": (propose(order()).but(fault="cut"), "truncated"),
    "a-stream-that-just-ends": (propose(order()).but(fault="eof"), "truncated"),
    "an-error-in-the-middle": (propose(order()).but(fault="error"), "overloaded"),
    "a-page-of-html": (say("").but(fault="html"), "garbage"),
    "another-apis-json": (say("").but(fault="other_json"), "garbage"),
    "events-that-are-no-json": (say("").but(fault="broken_json"), "garbage"),
    "bytes-without-end": (say("").but(fault="endless"), "garbage"),
}
"""An answer that is no decision → what the tick failed by, once trying again has not helped."""

HARMLESS: dict[str, Step] = {
    "prose": say("The market is quiet, so I hold."),
    "prose-with-a-series": say(
        "The MACD of the last bars, -1029.5, -1236.8, -1378.2, says nothing yet. Hold."
    ),
    "prose-with-controls": say("Hold \x1b[2J\x07\x9b31m\u202e\u2066 and a NUL: \0."),
    "prose-with-half-a-character": say("Hold \ud83d and go on."),
    "prose-of-a-hundred-thousand-letters": say("I hold. " * 12_500),
    "prose-in-chinese": say("暂时观望，不开仓。"),
    "a-stop-that-nobody-knows": say("Hold.").but(stop="tired"),
    "a-block-of-an-unknown-kind": Step(
        ({"type": "hologram", "data": "?"}, {"type": "text", "text": "Hold."})
    ),
    "a-million-tokens": say("Hold.", usage={"output_tokens": 10**12}),
}
"""Odd, and a hold all the same."""

MANY = call(*(("propose_order", order()) for _ in range(ACTIONS)))
"""Two hundred orders in one answer."""

BAD_REPLIES: dict[str, Step] = {
    **IN_PROSE,
    **EMPTY,
    **{name: step for kind in (BAD_CALLS, BAD_ORDERS, ENDINGS) for name, (step, _) in kind.items()},
    **HARMLESS,
    f"{ACTIONS}-actions": MANY,
}
"""All of them, by name."""
