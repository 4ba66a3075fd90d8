"""Tidy files: market data and news as people have them, read whole and judged before anything is stored."""
