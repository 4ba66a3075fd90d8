"""A masked world: the same returns, and nothing in it by which the real one could be known."""

import asyncio
import re
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.baselines import Trader, baseline
from agent.tick import Tick
from agent.tools import TOOLS, Toolbox
from config.instruments import find
from db.market import BAR, FUNDING, MARK
from db.tape import Rows
from domain.actions import ProposeOrder
from domain.money import ZERO
from domain.orders import Fill, Side
from domain.time import DAY_MS, HOUR_MS, MINUTE_MS, iso, parse_ts
from market.synth import make_up
from simulator.data import assemble
from simulator.mask import WEEK_MS, Mask, World, draw, mask_skill, masked
from simulator.prepare import beginning, replay_of
from simulator.replay import Stretch
from simulator.rows import RunRows, SeriesRows, SymbolRows
from simulator.spec import RunSpec, SimulationError
from skills import skill_md
from skills.schedule import Schedule
from skills.skill import Skill

START = parse_ts("2025-01-01")
HOURS = 120
FROM = START + 24 * HOUR_MS
SPEC = RunSpec(from_ts=FROM, to_ts=START + HOURS * HOUR_MS, cutoff_ts=FROM + DAY_MS, mask=True)
SYMBOLS = ("SOL", "BTC", "ETH")
SKILL = skill_md.read("""\
---
name: btc-and-others
description: Holds BTC, ETH and SOL
model: anthropic:claude-sonnet-4-6
schedule: 1h
market: {symbols: [SOL, BTC, ETH], interval: 1h, bars: 20, news: 5}
tools: [get_bars, get_portfolio, get_orders, get_funding, propose_order, close_position, wires.headlines]
mcp: [wires]
risk: {max_leverage: 5, allow_short: true, daily_loss_pct: 99, max_drawdown_pct: 99}
---
Trade BTC/ETH, "SOL" and SOLANA. BTC's moves lead; BTCUSDT is not named.
""")


QUARTER_MS = 15 * MINUTE_MS


def rows_of(symbol: str) -> SymbolRows:
    """A symbol's made-up quarters, the hours that they make up, marks and funding; one hour came again."""
    made = make_up(find(symbol), QUARTER_MS, START, SPEC.to_ts, 1)
    four = made.bars.reshape(-1, 4)
    hours = np.empty(HOURS, BAR)
    hours["ts"], hours["open"], hours["close"] = four["ts"][:, 0], four["open"][:, 0], four["close"][:, 3]
    hours["high"], hours["low"] = four["high"].max(1), four["low"].min(1)
    hours["volume"], hours["available_at"] = four["volume"].sum(1), hours["ts"] + HOUR_MS
    again = hours[40].copy()
    again["available_at"] += DAY_MS
    again["close"] = again["low"]
    inside = made.bars["ts"] >= FROM
    return SymbolRows(
        SeriesRows(symbol, "bars", HOUR_MS, np.insert(hours, 41, again), ("made",)),
        SeriesRows(
            symbol, "execution bars", QUARTER_MS, known(made.bars[inside], BAR, QUARTER_MS), ("made",)
        ),
        SeriesRows(symbol, "marks", QUARTER_MS, known(made.marks[inside], MARK, QUARTER_MS), ("made",)),
        SeriesRows(symbol, "funding", None, known(made.funding, FUNDING, 0), ("made",)),
    )


def known(rows: Rows, dtype: np.dtype[np.void], after_ms: int) -> Rows:
    """Rows as the tables have them, known a while after their instant."""
    stamped = np.empty(len(rows), dtype)
    for name in rows.dtype.names or ():
        stamped[name] = rows[name]
    stamped["available_at"] = (
        stamped["settled_at" if "settled_at" in (dtype.names or ()) else "ts"] + after_ms
    )
    return stamped


ROWS = RunRows({s: rows_of(s) for s in SYMBOLS}, {s: find(s) for s in SYMBOLS}, QUARTER_MS)
PLAIN = World(SKILL, SPEC, assemble(ROWS, SKILL.market, SPEC))
ONE = RunRows({"BTC": ROWS.symbols["BTC"]}, {"BTC": find("BTC")}, QUARTER_MS)

seeds = st.integers(0, 2**63 - 1)


def hidden(seed: int) -> tuple[World, Mask]:
    """The world behind the mask of a seed, and the mask."""
    spec = msgspec.structs.replace(SPEC, seed=seed)
    return masked(SKILL, spec, ROWS), draw(SKILL, ROWS, seed)


def replayed(world: World, trader: Trader) -> Stretch:
    """A whole run in a world."""
    replay = replay_of(world.skill, world.spec, world.market, trader, beginning(world.spec), "a run")
    return asyncio.run(replay.run(10**9))


class Shares:
    """Every six hours holds another share of the equity in each symbol, long or short, whatever prices do."""

    def __init__(self, from_ts: int) -> None:
        self._from = from_ts

    async def decide(self, tick: Tick) -> None:
        hour = (tick.ts - self._from) // HOUR_MS
        for number, symbol in enumerate(tick.skill.market.symbols):
            if hour % 6 == 0:
                share = Decimal((-9, 6, 12, -6, 9)[(hour // 6 + number) % 5]) / 10
                close = tick.bars(symbol).last(1)[0].close
                missing = share * tick.account.equity / close - tick.held(symbol)
                await tick.act(ProposeOrder(symbol, Side.BUY if missing > ZERO else Side.SELL, abs(missing)))


def tolerance_usd(stretch: Stretch, world: World) -> float:
    """How far two runs of one trader may lie apart by rounding alone, with a tenth more for compounding.

    A price of five figures is rounded against the trader by less than 1e-4 of itself in either world. A size is off by
    less than a lot, and a masked lot is worth at most seven; what that many gain or lose is their price's whole way.
    """
    fills = [entry for entry, _ in stretch.entries if isinstance(entry, Fill)]
    off = 1e-4 * float(sum(fill.size * fill.px for fill in fills))
    for symbol, bars in world.market.prices.items():
        way = float(np.abs(np.diff(bars.close * float(bars.tick))).sum())
        off += (1 + 7) * float(world.market.instruments[symbol].lot) * way
    return 1.1 * off


@settings(max_examples=12)
@given(seed=seeds)
def test_a_trader_of_shares_earns_the_same(seed: int) -> None:
    """As many fills on the same sides at the same instants, and every equity point within what rounding explains."""
    world, mask = hidden(seed)
    plain, other = replayed(PLAIN, Shares(FROM)), replayed(world, Shares(world.spec.from_ts))

    def fills(stretch: Stretch) -> list[Fill]:
        return [entry for entry, _ in stretch.entries if isinstance(entry, Fill)]

    real = {name: symbol for symbol, name in mask.names.items()}
    assert len(fills(plain)) > 40
    assert [(f.ts + mask.shift_ms, f.symbol, f.side, f.cause) for f in fills(plain)] == [
        (f.ts, real[f.symbol], f.side, f.cause) for f in fills(other)
    ]
    apart = np.abs(np.array(plain.equity, float) - np.array(other.equity, float)).max()
    assert apart <= tolerance_usd(plain, PLAIN)


def test_the_tolerance_is_far_below_what_the_trader_earns() -> None:
    """Otherwise the test above would say nothing."""
    plain = replayed(PLAIN, Shares(FROM))
    assert max(abs(float(usd) - 10_000) for usd in plain.equity) > 10 * tolerance_usd(plain, PLAIN)


@given(seed=seeds)
def test_prices_and_volumes_are_scaled_and_nothing_else(seed: int) -> None:
    """Every version of every row: later by whole weeks, prices by one factor, volumes by its inverse, rates as is."""
    mask = draw(SKILL, ROWS, seed)
    assert 520 <= mask.weeks <= 1_040
    world = masked(SKILL, msgspec.structs.replace(SPEC, seed=seed), ROWS)
    for symbol, scale in mask.scales.items():
        name, factor = mask.names[symbol], float(scale.factor)
        seen, before = (w.market.history._bars[s]._rows for w, s in ((world, name), (PLAIN, symbol)))
        assert (seen["ts"] - before["ts"] == mask.weeks * WEEK_MS).all()
        assert (seen["available_at"] - before["available_at"] == mask.weeks * WEEK_MS).all()
        half_a_tick = 0.5 * float(PLAIN.market.prices[symbol].tick) * factor
        for column in ("open", "high", "low", "close"):
            assert np.abs(seen[column] - before[column] * factor).max() <= half_a_tick * 1.000001
        assert np.allclose(seen["volume"], before["volume"] / factor, rtol=1e-3)
        rates, was = (w.market.history._funding[s] for w, s in ((world, name), (PLAIN, symbol)))
        assert (rates["rate"] == was["rate"]).all()
        assert (rates["settled_at"] - was["settled_at"] == mask.weeks * WEEK_MS).all()


@given(seed=seeds)
def test_lots_stay_legal_and_prices_plausible(seed: int) -> None:
    """Lots have 0 to 6 decimals, factors are far from 1, and prices look like prices."""
    world, mask = hidden(seed)
    for symbol, scale in mask.scales.items():
        assert not Decimal("0.7") < scale.factor < Decimal("1.5")
        assert 0 <= world.market.instruments[mask.names[symbol]].sz_decimals <= 6
        closes = world.market.prices[mask.names[symbol]]
        assert 0.005 <= float(np.median(closes.close) * float(closes.tick)) <= 200_000


class Curious:
    """Keeps every answer of every tool that reads, at every tick, and those to a few orders."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._box = Toolbox(list(TOOLS))

    async def decide(self, tick: Tick) -> None:
        symbols = tick.skill.market.symbols
        asked: list[tuple[str, dict[str, Any]]] = [("get_portfolio", {}), ("get_orders", {})]
        for symbol in symbols:
            close = tick.bars(symbol).last(1)[0].close
            asked += [("get_bars", {"symbol": symbol, "count": 500}), ("get_funding", {"symbol": symbol})]
            asked += [("get_bars", {"symbol": "BTC"}), ("get_bars", {"symbol": "DOGE"})]
            bid = str(round(close * Decimal("0.99"), 4))
            asked += [("propose_order", {"symbol": symbol, "side": "buy", "size": "1e9", "limit_px": bid})]
        for name, arguments in asked:
            answer = await self._box.call(tick, name, msgspec.json.encode(arguments))
            self.said.append(
                answer.text.replace("'BTC'", "").replace("'DOGE'", "")
            )  # what it asked for itself


@settings(max_examples=5)
@given(seed=seeds)
def test_nothing_that_is_seen_tells_the_symbol_the_time_or_the_price(seed: int) -> None:
    """No tool's answer, and nothing of the Skill, has a real symbol in it, a real date, or a real level of prices."""
    world, mask = hidden(seed)
    curious = Curious()
    replayed(world, curious)
    seen = "\n".join([*curious.said, world.skill.name, world.skill.description, world.skill.prompt])

    assert not re.search(r"(?<![A-Za-z0-9])(?:BTC|ETH|SOL)(?![A-Za-z0-9])", seen)
    years = {int(year) for year in re.findall(r"(\d{4})-\d\d-\d\dT", seen)}
    assert len(years) > 0
    assert min(years) >= 2034
    for symbol, name in mask.names.items():
        shown = {float(px) for text in curious.said if f'"symbol":"{name}"' in text for px in opens(text)}
        real = PLAIN.market.prices[symbol]
        low, high = (float(edge * real.tick) for edge in (int(real.low.min()), int(real.high.max())))
        assert len(shown) > 20
        assert not any(low <= px <= high for px in shown)


def opens(text: str) -> list[float]:
    """The opening prices in an answer of get_bars."""
    return [float(bar[1]) for bar in msgspec.json.decode(text).get("bars", ())]


def test_the_skill_is_told_the_same_in_other_words() -> None:
    """Symbols change where they stand as words; news and foreign tools go; all else stays."""
    world, _ = hidden(3)
    skill = world.skill

    assert skill.prompt == (
        'Trade ASSET-1/ASSET-2, "ASSET-3" and SOLANA. ASSET-1\'s moves lead; BTCUSDT is not named.'
    )
    assert skill.description == "Holds ASSET-1, ASSET-2 and ASSET-3"
    assert skill.name == "asset-1-and-others"
    assert skill.market.symbols == ("ASSET-3", "ASSET-1", "ASSET-2")
    assert skill.market.news == 0
    assert "wires.headlines" in SKILL.tools
    assert "wires.headlines" not in skill.tools
    assert skill.mcp == ()
    assert skill.caps == SKILL.caps


def test_the_range_and_the_cutoff_move_along() -> None:
    """The same share of the run lies before the cutoff; one that is 0 or not known stays so."""
    world, mask = hidden(4)
    assert world.spec.from_ts == FROM + mask.shift_ms
    assert world.spec.to_ts == SPEC.to_ts + mask.shift_ms
    assert world.spec.cutoff_ts == FROM + DAY_MS + mask.shift_ms
    for cutoff_ts in (0, None):
        spec = msgspec.structs.replace(SPEC, cutoff_ts=cutoff_ts)
        assert masked(SKILL, spec, ROWS).spec.cutoff_ts == cutoff_ts


def test_a_person_can_translate_back() -> None:
    """The description says by how many weeks and factors, and what was left; its digest is of the masked data."""
    world, mask = hidden(5)
    told = world.market.description["mask"]

    assert told["weeks_later"] == mask.weeks
    assert told["symbols"]["ASSET-1"] == {"symbol": "BTC", "price_factor": str(mask.scales["BTC"].factor)}
    assert world.market.digest != PLAIN.market.digest
    assert world.market.digest != hidden(6)[0].market.digest
    assert world.market.digest == hidden(5)[0].market.digest
    assert [w.split()[0] for w in world.market.warnings[-3:]] == ["Symbols,", "News", "The"]


@pytest.mark.parametrize("schedule", ["0 8 1 * *", "0 0 * mar-jun *", "30 9 13 * fri"])
def test_a_schedule_that_goes_by_the_date_keeps_its_ticks(schedule: str) -> None:
    """Then the shift is 28 years, after which dates and weekdays fall together again."""
    skill = msgspec.structs.replace(SKILL, schedule=schedule)
    mask = draw(skill, ROWS, 7)
    when = Schedule.parse(schedule)
    year = (START, START + 366 * DAY_MS)

    assert iso(START + mask.shift_ms) == "2053-01-01T00:00:00Z"
    assert [ts + mask.shift_ms for ts in when.ticks(*year)] == list(
        when.ticks(*(ts + mask.shift_ms for ts in year))
    )


def cross(size: str) -> Skill:
    """A baseline on one symbol, or as many as the rows have."""
    return msgspec.structs.replace(
        SKILL,
        model="baseline:sma-cross",
        model_params={"fast": 3, "slow": 8, "size": Decimal(size)},
        market=msgspec.structs.replace(SKILL.market, symbols=("BTC",)),
    )


def test_a_baseline_of_one_symbol_trades_a_size_worth_as_much() -> None:
    """The cross of averages turns at the same bars, and earns the same within rounding."""
    skill = cross("0.1")
    plain = World(skill, SPEC, assemble(ONE, skill.market, SPEC))
    world = masked(skill, SPEC, ONE)
    real, other = (replayed(each, baseline(each.skill, 0)) for each in (plain, world))

    assert world.spec.from_ts > plain.spec.from_ts
    assert len(real.decisions) > 5
    assert [d.tick_ts - FROM for d in real.decisions] == [
        d.tick_ts - world.spec.from_ts for d in other.decisions
    ]
    apart = np.abs(np.array(real.equity, float) - np.array(other.equity, float)).max()
    assert apart <= tolerance_usd(real, plain)


def test_a_baseline_of_several_symbols_is_refused() -> None:
    """One size can't be worth the same in three symbols with three factors."""
    with pytest.raises(SimulationError, match="--mask"):
        mask_skill(cross("0.1"), draw(SKILL, ROWS, 0))
