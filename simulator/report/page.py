"""Puts the report together: one HTML file that loads nothing, needs no script and escapes what it shows."""

import re
from typing import Any

import msgspec

from domain.time import YEAR_MS, format_interval, iso
from simulator.metrics import Metrics
from simulator.record import RunRecord
from simulator.report import headline, manifest, memory, months, refused, tables, words
from simulator.report.batch import batch
from simulator.report.charts import chart
from simulator.report.digest import report_digest
from simulator.report.document import assets, environment
from simulator.report.thought import thought
from simulator.report.trade_rows import trade_rows
from simulator.trades import trades

UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day"}


def render(record: RunRecord, metrics: Metrics) -> str:
    """Write the report of a finished run as one self-contained HTML document."""
    made = trades(record.fills, record.funding, record.order_decisions)
    page: str = (
        environment()
        .get_template("report.html")
        .render(
            record=record,
            metrics=metrics,
            assets=assets(),
            head=_head(record),
            notices=headline.notices(record, metrics),
            figures=headline.figures(record, metrics),
            chart=chart(record, metrics, made),
            months=months.months(record),
            points=months.points(record),
            compared=tables.compared(metrics),
            trading=tables.trading(metrics),
            money=tables.money(record, metrics),
            sides=memory.sides(metrics, is_masked=record.masked),
            thought=thought(record, metrics),
            batch=batch(record, metrics),
            refusals=refused.refusals(metrics),
            latest_refused=refused.latest(record),
            proposed=refused.proposed(record),
            trades=trade_rows(record, made),
            count=len(made),
            series=manifest.series(record.manifest),
            stood_in=manifest.stood_in(record.manifest),
            groups=manifest.groups(record.manifest),
            manifest_json=_json(record.manifest),
            digest=report_digest(record, metrics),
            ticks=headline.ticks_in_words(record),
            baseline=words.baseline,
        )
    )
    return page


def _json(manifest: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=2).decode()


def _head(record: RunRecord) -> dict[str, Any]:
    """The title and the line under it."""
    symbols = ", ".join(record.symbols)
    named = f"{record.skill_name} v{record.skill_version}"
    return {
        "title": f"{named} on {symbols}, {words.period(record.from_ts, record.to_ts)}",
        "is_synthetic": bool(manifest.flagged(record.manifest.get("data"), "synthetic")),
        "range": f"{iso(record.from_ts)} to {iso(record.to_ts)}",
        "facts": [
            record.model,
            f"{_schedule(record.schedule)}, {words.plural(sum(record.ticks.values()), 'tick')}",
            f"{words.whole_dollars(record.start_usd)} start",
            f"seed {record.seed}",
            "all times UTC",
        ],
        "sampling": f"{_every(record.interval_ms)} closes, a year is √{YEAR_MS / record.interval_ms:,.0f}",
    }


def _schedule(text: str) -> str:
    """ "1h" → "every hour"; a cron line as it is."""
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if not found:
        return f"at {text}"
    count, unit = int(found[1]), UNITS[found[2]]
    return f"every {unit}" if count == 1 else f"every {count} {unit}s"


def _every(interval_ms: int) -> str:
    name = format_interval(interval_ms)
    return {"1m": "minute", "1h": "hourly", "1d": "daily"}.get(name, name)
