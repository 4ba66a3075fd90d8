"""The trading tools: what they take and answer, that others do not exist, and that nothing a caller writes raises."""

import json
import re
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.tick import Tick
from agent.tools import MOST_ARGUMENT_BYTES, TOOLS, Answer, Toolbox
from db.market import BAR, FUNDING
from domain.caps import Caps
from domain.journal import Entry
from domain.time import HOUR_MS
from market.history import History, Series
from skills import skill_md
from skills.catalogue import TRADING_TOOLS
from skills.skill import Skill
from tests.unit.brokers.samples import START, at_once, flat, tape_of
from tests.unit.engine.samples import House, caps
from tests.unit.skills.samples import with_line

D = Decimal
SAMPLE: Skill = skill_md.read(with_line("symbols: [BTC]", "symbols: [BTC, ETH]"))


def history() -> History:
    """Two hours of each symbol before the account begins, with a rate an hour for BTC."""
    bars = [
        (ts, ts + HOUR_MS, 99.0, 101.5, 98.0, 100.0, 1000.0) for ts in (START - 2 * HOUR_MS, START - HOUR_MS)
    ]
    rates = [(ts, ts, ts, 1.25e-5) for ts in (START - HOUR_MS, START)]
    rows = np.array(bars, BAR)
    return History(
        {symbol: Series(symbol, HOUR_MS, rows) for symbol in ("BTC", "ETH")},
        {"BTC": np.array(rates, FUNDING)},
    )


class Desk:
    """A real engine on a real venue, and one tick of it after another."""

    def __init__(self, own: Caps | None = None, names: tuple[str, ...] = tuple(TOOLS)) -> None:
        self.house = House(
            own, tape_of({"BTC": [flat(100)] * 9, "ETH": [flat(10)] * 9}), symbols=("BTC", "ETH")
        )
        self.box = Toolbox(names)
        self.next_tick()

    def next_tick(self) -> None:
        past = history().as_of(self.house.ts)
        self.tick = Tick(SAMPLE, self.house.engine, past, "test")

    def step(self) -> None:
        self.house.step()
        self.next_tick()

    def say(self, name: str, arguments: bytes) -> Answer:
        answer: Answer = at_once(self.box.call(self.tick, name, arguments))
        return answer

    def call(self, name: str, **arguments: Any) -> Any:
        """Call a tool that must answer, and give what it said."""
        answer = self.say(name, msgspec.json.encode(arguments))
        assert not answer.is_error, answer.text
        return json.loads(answer.text)

    def fails(self, name: str, arguments: bytes) -> str:
        """Call a tool that must not understand, and give its line. Nothing was done."""
        answer = self.say(name, arguments)
        assert answer.is_error
        assert self.tick.actions == []
        (line,) = json.loads(answer.text).values()
        assert "\n" not in line
        return str(line)


# What there is.


def test_the_registry_holds_the_tools_of_the_catalogue() -> None:
    """All of them, in its order, under the names that a Skill may list."""
    assert tuple(TOOLS) == TRADING_TOOLS
    assert all(name == tool.name for name, tool in TOOLS.items())


@pytest.mark.parametrize("name", TOOLS)
def test_a_model_is_told_of_a_tool_in_plain_json_schema(name: str) -> None:
    """An object without further properties, references or unions; each argument is described, the tool in sentences."""
    told = TOOLS[name].wire()
    assert json.loads(json.dumps(told)) == told
    assert set(told) == {"name", "description", "input_schema"}
    assert re.fullmatch("[a-zA-Z0-9_-]{1,64}", told["name"])
    assert len(re.findall(r"\.(?: |$)", told["description"])) >= 3
    schema = told["input_schema"]
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)
    assert set(schema["required"]) <= set(schema["properties"])
    assert not {"$ref", "$defs", "anyOf", "null"} & set(re.findall(r'"([$\w]+)"', json.dumps(schema)))
    for described in schema["properties"].values():
        assert described["type"] in {"string", "integer", "boolean", "number", "array"}
        assert described["description"].endswith(".")


@pytest.mark.parametrize("size", [b"1.5", b'"1.5"', b"15e-1"])
def test_an_amount_may_be_a_number_or_its_text(size: bytes) -> None:
    """A model is told of numbers; a text that holds one is understood too, and neither is rounded."""
    desk = Desk()
    answer = desk.say(
        "propose_order", b'{"symbol": "BTC", "side": "buy", "size": %s, "limit_px": null}' % size
    )
    assert json.loads(answer.text)["approved"]
    assert desk.call("get_orders")["orders"][0]["size"] == "1.5"


@pytest.mark.parametrize(
    "size", [b"NaN", b'"NaN"', b"1e999", b'"Infinity"', b"true", b"null", b"[1]", b'"1,5"', b"-1"]
)
def test_what_is_no_amount_is_refused(size: bytes) -> None:
    """Said in a line, whether it could not be read or the engine turned it away; nothing is sent."""
    desk = Desk()
    answer = json.loads(
        desk.say("propose_order", b'{"symbol": "BTC", "side": "buy", "size": %s}' % size).text
    )
    assert "error" in answer or "would have been" in answer["refused"][0]
    assert desk.call("get_orders")["orders"] == []


def test_a_tool_that_is_not_on_the_list_does_not_exist() -> None:
    """It is not offered, and a call of it is answered like one of a name that nobody ever heard."""
    desk = Desk(names=("get_portfolio", "get_bars", "no_such_tool"))
    assert [tool.name for tool in desk.box.tools] == ["get_portfolio", "get_bars"]
    order = b'{"symbol": "BTC", "side": "buy", "size": "1"}'
    assert (
        desk.fails("propose_order", order)
        == "there is no tool 'propose_order'; there are get_portfolio, get_bars"
    )
    assert (
        desk.fails("x" * 10_000, b"") == f"there is no tool '{'x' * 60}'; there are get_portfolio, get_bars"
    )
    assert Desk(names=()).fails("get_bars", b"").endswith("there are none")


# What they answer.


def test_bars_are_the_newest_closed_ones() -> None:
    """Oldest first, in plain decimals, with the names of the columns."""
    assert Desk().call("get_bars", symbol="BTC", count=1) == {
        "symbol": "BTC",
        "interval": "1h",
        "columns": ["ts", "open", "high", "low", "close", "volume"],
        "bars": [["2024-12-31T23:00:00Z", "99", "101.5", "98", "100", "1000"]],
    }


def test_funding_is_what_was_settled() -> None:
    """Oldest first; a symbol without funding has none."""
    desk = Desk()
    rates = [["2024-12-31T23:00:00Z", "1.25e-05"], ["2025-01-01T00:00:00Z", "1.25e-05"]]
    assert desk.call("get_funding", symbol="BTC") == {"symbol": "BTC", "rates": rates}
    assert desk.call("get_funding", symbol="ETH") == {"symbol": "ETH", "rates": []}


def test_an_order_is_shown_at_once_and_its_fill_at_the_next_tick() -> None:
    """The book as it was when the tick opened, plus this tick's own intents."""
    desk = Desk()
    assert desk.call("propose_order", symbol="BTC", side="buy", size="2", stop_px="90") == {
        "approved": True,
        "orders": [1],
    }
    (order,) = desk.call("get_orders")["orders"]
    assert (order["order"], order["state"], order["size"], order["stop_px"]) == (1, "in_flight", "2", "90")
    assert desk.call("get_portfolio")["positions"] == []

    desk.step()
    (stop,) = desk.call("get_orders")["orders"]
    assert (stop["kind"], stop["trigger_px"], stop["reduce_only"]) == ("stop", "90", True)
    portfolio = desk.call("get_portfolio")
    assert portfolio["positions"] == [
        {"symbol": "BTC", "size": "2", "entry_px": "100", "mark_px": "100", "unrealized_usd": "0"}
    ]
    assert (portfolio["cash_usd"], portfolio["halted"]) == ("10000", False)


def test_protections_cancels_and_closes_reach_the_engine() -> None:
    """Each is answered with what became of it."""
    desk = Desk()
    desk.call("propose_order", symbol="BTC", side="buy", size="2")
    desk.step()
    placed = desk.call("set_protection", symbol="BTC", stop_px="95", take_profit_px="120")
    assert placed["approved"]
    kinds = [order["kind"] for order in desk.call("get_orders")["orders"]]
    assert sorted(kinds) == ["stop", "take_profit"]
    assert desk.call("cancel_order", order=placed["orders"][1])["approved"]
    assert desk.call("close_position", symbol="BTC")["approved"]
    desk.step()
    assert (desk.call("get_portfolio")["positions"], desk.call("get_orders")["orders"]) == ([], [])


def test_a_refusal_says_why() -> None:
    """Cap, limit and the value it would have had, in the engine's words."""
    refused = Desk(caps(max_order_usd=D(50))).call("propose_order", symbol="BTC", side="buy", size="1")
    assert refused["approved"] is False
    assert refused["refused"][0].startswith("max_order_usd 50, would have been 100")


# What is hostile.


@pytest.mark.parametrize(
    ("name", "arguments", "line"),
    [
        ("get_bars", b"", "get_bars: Object missing required field `symbol`"),
        ("get_bars", b'{"symbol": "SOL"}', "get_bars: 'SOL' is not one of BTC, ETH"),
        ("get_funding", b'{"symbol": "' + b"S" * 40 + b'"}', "get_funding: 'SSSS"),
        ("get_bars", b'{"symbol": "BTC", "count": 0}', "get_bars: Expected `int` >= 1 - at `$.count`"),
        ("get_bars", b'{"symbol": "BTC", "count": 1001}', "get_bars: Expected `int` <= 1000"),
        ("get_bars", b'{"symbol": "BTC", "count": 1e9}', "get_bars: Expected `int`"),
        ("get_bars", b'{"symbol": "BTC", "until": "2030-01-01"}', "get_bars: Object contains unknown field `until`"),
        ("get_portfolio", b"null", "get_portfolio: Expected `object`, got `null`"),
        ("get_portfolio", b"[" * 16_000, "get_portfolio: Expected `object`, got `array`"),
        ("get_portfolio", b'{"a": ' + b'{"a": ' * 2_000, "get_portfolio: Object contains unknown field `a`"),
        ("get_orders", b"\xff\xfe", "get_orders: "),
        ("get_orders", b'{"\xff": 1}', "get_orders: "),
        ("cancel_order", b'{"order": 1, "why": "\xff"}', "cancel_order: 'utf-8' codec can't decode"),
        ("cancel_order", b'{"order": 1, "why": "\\ud800"}', "cancel_order: "),
        ("cancel_order", b'{"order": 1, "why": "\\u0000"}', "the arguments hold a NUL character; leave it out"),
        ("cancel_order", b'{"order": 0}', "cancel_order: Expected `int` >= 1"),
        ("cancel_order", b'{"order": 1' + b"0" * 40 + b"}", "cancel_order: Expected `int` <= 9007199254740992"),
        ("cancel_order", b'{"order": ' + b"9" * 5_000 + b"}", "cancel_order: "),
        ("cancel_order", b" " * (MOST_ARGUMENT_BYTES + 1), "the arguments have 16385 bytes; at most 16384 are read"),
        ("propose_order", b'{"symbol": "BTC", "side": "both", "size": "1"}', "propose_order: Invalid enum value"),
        ("propose_order", b'{"symbol": "BTC", "side": "buy", "size": "one"}', "propose_order: Invalid decimal"),
        ("propose_order", b'{"symbol": "BTC", "side": "buy", "size": true}', "propose_order: Expected `decimal`"),
        ("close_position", b'{"symbol": "BTC", "why": "' + b"w" * 1_001 + b'"}', "close_position: Expected `str`"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_answered(name: str, arguments: bytes, line: str) -> None:
    """One line that says what is wrong; nothing is done."""
    assert Desk().fails(name, arguments).startswith(line)


NUMBERS = [
    "NaN",
    "sNaN",
    "Infinity",
    "-Infinity",
    "-1",
    "0",
    "-0",
    "1e999999",
    "1e-999999",
    "9" * 2_000,
    "1_0",
    " 1 ",
]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("field", ["size", "limit_px", "stop_px", "take_profit_px"])
def test_any_number_gets_a_verdict(number: str, field: str) -> None:
    """Approved or refused, said in a line that is not endless, and written down so that it can be read back."""
    desk = Desk()
    asked = {"symbol": "BTC", "side": "buy", "size": "1", field: number}
    verdict = desk.call("propose_order", **asked)
    assert verdict["approved"] or all(len(reason) < 1_000 for reason in verdict["refused"])
    for number_ in ("stop_px", "take_profit_px"):
        desk.call("set_protection", symbol="BTC", **{number_: number})
    for entry, body in desk.house.journal.take():
        assert type(msgspec.json.decode(body, type=Entry)) is type(entry)
    desk.step()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(NUMBERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ("symbol", "side", "size", "count", "order", "limit_px", "stop_px", "tif", "reduce_only", "why")
OBJECTS = st.dictionaries(st.sampled_from(FIELDS), JSON | st.sampled_from(["BTC", "buy", "1", "ioc"]))


@given(
    st.sampled_from([*TOOLS, "other"]), st.binary(max_size=60) | OBJECTS.map(lambda o: json.dumps(o).encode())
)
def test_no_arguments_raise(name: str, arguments: bytes) -> None:
    """Bytes of any kind, and objects that look right: each is answered with one line of JSON."""
    answer = Desk().say(name, arguments)
    assert isinstance(json.loads(answer.text), dict)
    assert "\n" not in answer.text
