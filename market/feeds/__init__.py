"""Where market data comes from as time passes. `base` says what a feed is; `registry` opens them."""
