"""The job by backtrader's Cerebro, without its observers, which is its fastest way. `peer_backtrader.py FOLDER BARS`."""

import sys

import backtrader as bt
from frame import read_frame
from job import CASH_USD, FAST, FEE_BPS, LEVERAGE, SLOW, Stopwatch, crossed, report


class Crossing(bt.Strategy):
    """The job's strategy, on backtrader's own averages."""

    def __init__(self):
        self.fast = bt.indicators.SimpleMovingAverage(self.data.close, period=FAST)
        self.slow = bt.indicators.SimpleMovingAverage(self.data.close, period=SLOW)
        self.target = 0
        self.filled = 0

    def notify_order(self, order):
        """Count what was filled."""
        self.filled += order.status == order.Completed

    def next(self):
        """Follow the averages."""
        target = crossed(self.fast[0], self.slow[0], self.target)
        if target != self.target:
            difference, self.target = target - self.target, target
            self.buy(size=difference) if difference > 0 else self.sell(size=-difference)


cerebro = bt.Cerebro(stdstats=False)
frame = read_frame(sys.argv[1], int(sys.argv[2]))
cerebro.adddata(bt.feeds.PandasData(dataname=frame, timeframe=bt.TimeFrame.Minutes, compression=60))
cerebro.addstrategy(Crossing)
cerebro.broker.setcash(CASH_USD)
cerebro.broker.setcommission(commission=FEE_BPS / 10_000, leverage=LEVERAGE)
watch = Stopwatch()
strategy = cerebro.run()[0]
report(bt.__version__, watch.seconds(), strategy.filled, cerebro.broker.getvalue())
