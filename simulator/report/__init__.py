"""A run's report: one HTML file that people can send to each other and open anywhere."""

from simulator.report.digest import report_digest
from simulator.report.page import render

__all__ = ["render", "report_digest"]
