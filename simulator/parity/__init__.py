"""Parity: what a deployment did, beside what the simulator makes of the same market, and why they differ."""
