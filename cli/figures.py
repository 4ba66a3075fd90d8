"""How figures look on a terminal, and the table they stand in."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

LARGEST = 10_000
"""No larger gain, as a multiple, is written out: that of an hour, annualised, may have eighty digits."""


def plain_table() -> "Table":
    """A table without lines."""
    from rich.table import Table

    return Table(box=None, pad_edge=False, collapse_padding=True, header_style="dim")


def figure(value: Any, form: str) -> str:
    """A figure as people read it: a change has its sign, a share has none, what is undefined is a dash.

    A "tally" is a count, or a median of counts, which may lie between two.
    What thinking cost ("cost"), and what is left after it ("net"), are unknown rather than undefined.
    """
    if value is None:
        return "unknown" if form in ("cost", "net") else "–"
    if form in ("percent", "net") and value > LARGEST:
        return f"over +{LARGEST * 100:,}%"
    number = Decimal(str(value))
    places = 0 if number == int(number) else 1
    forms = {
        "percent": f"{number * 100:+,.2f}%",
        "net": f"{number * 100:+,.2f}%",
        "points": f"{number * 100:+,.2f} pp",
        "signed": f"{number:+,.2f}",
        "cost": f"{number:,.4f}" if 0 < number < 1 else f"{number:,.2f}",
        "rough": f"{number * 100:+,.1f}%",
        "share": f"{number * 100:,.2f}%",
        "count": f"{number:,.0f}",
        "tally": f"{number:,.{places}f}",
        "signed_tally": f"{number:+,.{places}f}",
    }
    text = forms.get(form, f"{number:,.2f}")
    return (text if text.strip("+-0.% p") else text.lstrip("+-")).replace("-", "−")
