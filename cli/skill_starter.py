"""The file that `agentic skill new` writes: a Skill that works as it is, and says what can be changed."""

STARTER = """\
---
name: {name}
description: Follows the trend, small size
model: baseline:sma-cross       # built in, like hold, buy-and-hold and random; examples/skills has language models
model_params: {{fast: 20, slow: 50, size: 0.1}}   # bars, bars, base units
schedule: 1h                    # when it decides, in UTC: an interval, or a cron such as "0 */4 * * mon-fri"
market: {{symbols: [BTC], interval: 1h, bars: 200}}   # what it sees: symbols, and bars of each
tools: [get_bars, get_portfolio, propose_order]     # what it may call; nothing else exists for it
risk:                           # what it can never exceed; `agentic skill check` shows every cap
  max_leverage: 3               # exposure over equity
  daily_loss_pct: 5             # a day's loss that closes everything until tomorrow
  # allow_short: true           # may it go below zero?
  # max_position_usd: 5000      # exposure in one symbol
  # require_stop: true          # refuse an order that opens without a stop
---
Be long `size` while the average of the last `fast` closes is above that of the last `slow`, and flat while it is
below. The baseline does exactly this and does not read on; a language model would be told these words.
"""
"""Formatted with the Skill's name."""
