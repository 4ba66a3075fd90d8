"""The job by NautilusTrader's BacktestEngine: a perpetual on a margin account, netting, its risk engine on.

The strategy is in Python with averages by running sums; logging is off. `peer_nautilus.py FOLDER BARS`
"""

import sys
from decimal import Decimal

import nautilus_trader
from frame import read_frame
from job import CASH_USD, FAST, FEE_BPS, LEVERAGE, SLOW, Stopwatch, crossed, report
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TraderId, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("SIM")
FEE = Decimal(str(FEE_BPS)) / 10_000
INSTRUMENT = CryptoPerpetual(
    instrument_id=InstrumentId(Symbol("BENCH-PERP"), VENUE),
    raw_symbol=Symbol("BENCH"),
    base_currency=BTC,
    quote_currency=USDT,
    settlement_currency=USDT,
    is_inverse=False,
    price_precision=3,
    price_increment=Price.from_str("0.001"),
    size_precision=0,
    size_increment=Quantity.from_str("1"),
    max_quantity=Quantity.from_str("1000000"),
    min_quantity=Quantity.from_str("1"),
    max_notional=None,
    min_notional=None,
    max_price=Price.from_str("1000000.000"),
    min_price=Price.from_str("0.001"),
    margin_init=Decimal("0.05"),
    margin_maint=Decimal("0.03"),
    maker_fee=FEE,
    taker_fee=FEE,
    ts_event=0,
    ts_init=0,
)
BAR_TYPE = BarType.from_str("BENCH-PERP.SIM-1-HOUR-LAST-EXTERNAL")


class Crossing(Strategy):
    """The job's strategy."""

    def __init__(self):
        super().__init__(StrategyConfig())
        self.closes = []
        self.fast = self.slow = 0.0
        self.target = self.filled = 0

    def on_start(self):
        """Ask for the bars."""
        self.subscribe_bars(BAR_TYPE)

    def on_bar(self, bar):
        """Follow the averages."""
        closes, close = self.closes, bar.close.as_double()
        closes.append(close)
        self.fast += close
        self.slow += close
        if len(closes) > FAST:
            self.fast -= closes[-FAST - 1]
        if len(closes) > SLOW:
            self.slow -= closes[-SLOW - 1]
        if len(closes) < SLOW:
            return
        target = crossed(self.fast / FAST, self.slow / SLOW, self.target)
        if target != self.target:
            difference, self.target = target - self.target, target
            side = OrderSide.BUY if difference > 0 else OrderSide.SELL
            quantity = Quantity.from_int(abs(difference))
            self.submit_order(self.order_factory.market(INSTRUMENT.id, side, quantity))

    def on_order_filled(self, event):
        """Count what was filled."""
        self.filled += 1


def make_engine():
    """Make an engine with the venue and the instrument."""
    config = BacktestEngineConfig(
        trader_id=TraderId("BENCH-001"), logging=LoggingConfig(bypass_logging=True)
    )
    engine = BacktestEngine(config)
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=None,
        starting_balances=[Money(CASH_USD, USDT)],
        default_leverage=Decimal(LEVERAGE),
    )
    engine.add_instrument(INSTRUMENT)
    return engine


frame = read_frame(sys.argv[1], int(sys.argv[2])).tz_localize("UTC")
engine, strategy = make_engine(), Crossing()
engine.add_data(BarDataWrangler(BAR_TYPE, INSTRUMENT).process(frame))
engine.add_strategy(strategy)
watch = Stopwatch()
engine.run()
loop_s = watch.seconds()
equity = engine.portfolio.account(VENUE).balance_total(USDT).as_double()
unrealized = engine.portfolio.unrealized_pnl(INSTRUMENT.id)
equity += unrealized.as_double() if unrealized is not None else 0.0
report(nautilus_trader.__version__, loop_s, strategy.filled, equity)
