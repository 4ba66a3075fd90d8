"""The job by backtesting.py. Its run() makes statistics too: the loop is from the first next() to the last.

It has no risk check and closes the last position at the end, so its final equity differs by that fee.
`peer_backtesting.py FOLDER BARS`
"""

import sys
import warnings

import backtesting
import pandas as pd
from frame import read_frame
from job import CASH_USD, FAST, FEE_BPS, LEVERAGE, SLOW, Stopwatch, crossed, report

warnings.simplefilter("ignore")
bars = int(sys.argv[2])


class Crossing(backtesting.Strategy):
    """The job's strategy, on averages made by pandas beforehand."""

    def init(self):
        """Make the averages."""
        close = pd.Series(self.data.Close)
        self.fast = self.I(lambda: close.rolling(FAST).mean().to_numpy())
        self.slow = self.I(lambda: close.rolling(SLOW).mean().to_numpy())
        self.target = 0
        self.sent = 0
        self.watch = None

    def next(self):
        """Follow the averages."""
        self.watch = self.watch or Stopwatch()
        target = crossed(self.fast[-1], self.slow[-1], self.target)
        if target != self.target:
            difference, self.target = target - self.target, target
            self.sent += 1
            self.buy(size=difference) if difference > 0 else self.sell(size=-difference)
        if len(self.data) == bars:
            self.loop_s = self.watch.seconds()


frame = read_frame(sys.argv[1], bars).rename(columns=str.capitalize)
backtest = backtesting.Backtest(
    frame, Crossing, cash=CASH_USD, commission=FEE_BPS / 10_000, margin=1 / LEVERAGE
)
result = backtest.run()
strategy = result["_strategy"]
report(backtesting.__version__, strategy.loop_s, strategy.sent, result["Equity Final [$]"])
