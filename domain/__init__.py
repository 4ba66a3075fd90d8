"""The vocabulary: money, time, instruments, bars, orders, accounts, actions, verdicts.

Frozen structs and pure functions. Nothing here does I/O or knows who is asking.
"""
