"""Deployments lived through seeded faults, on the real fleet and a real database, and audited afterwards.

`python -m tests.chaos` (or `make chaos`) lives many lives; `tests/chaos/test_chaos.py` a few of them.
"""
