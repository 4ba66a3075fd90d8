"""The files that `agentic skill new` writes: Skills that work as they are, and say what can be changed."""

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
"""For a built-in baseline, which needs no key. Formatted with the Skill's name."""

LANGUAGE_MODEL_STARTER = """\
---
name: {name}
description: Follows the trend, small size
model: {model}   # who decides; see docs/models.md
# model_params: {{max_tokens: 4096}}   # and effort, thinking, temperature, as far as the model takes them
schedule: 4h                    # when it is asked, in UTC: every tick costs money
market: {{symbols: [BTC], interval: 1h, bars: 100, news: 10}}   # what it sees: symbols, bars of each, headlines
tools: [get_bars, get_portfolio, get_orders, search_news, propose_order, close_position]   # what it may call
risk:                           # what it can never exceed; `agentic skill check` shows every cap
  max_leverage: 2               # exposure over equity
  max_position_usd: 5000        # exposure in one symbol
  require_stop: true            # refuse an order that opens without a stop
  daily_loss_pct: 5             # a day's loss that closes everything until tomorrow
  max_inference_usd_per_day: 2  # what its thinking may cost, deployed
  max_inference_usd_per_run: 10 # and in one simulation
---
You trade BTC, long or flat, and change your mind slowly.

- The trend is up when the average of the last 20 closes is above that of the last 100, and down when it is below.
- When the trend is up and you are flat, buy for a tenth of your equity, with a stop 3 % below the last close.
- When the trend is down and you are long, close the position.
- Otherwise hold. News can keep you from buying; it is never a reason to buy.
- Say in the reason of each action which numbers you looked at.
"""
"""For a language model. Formatted with the Skill's name and the model's."""
