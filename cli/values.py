"""Values of options that have a form of their own, read where wrong usage is told: exit code 2."""

from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from domain.time import format_interval, parse_interval, parse_ts


def interval_ms(text: str) -> int:
    """Read a bar interval such as 1h, as ms."""
    try:
        return parse_interval(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def instant(text: str) -> int:
    """Read an instant, as UTC ms."""
    try:
        return parse_ts(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def interval_name(text: str) -> str:
    """Read a bar interval, and give its name."""
    return format_interval(interval_ms(text))


def money(text: str) -> Decimal:
    """Read an amount of USD."""
    try:
        return Decimal(str(text).replace("_", ""))
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is not an amount; write it like 10000") from None


Interval = Annotated[
    int, typer.Option(parser=interval_ms, metavar="1h", help="The bars' interval.", show_default=False)
]
"""A bar interval such as 1h, as ms."""

From = Annotated[
    int, typer.Option("--from", parser=instant, metavar="TIME", help="From when on, such as 2025-01-31.")
]
"""The beginning of a range, as UTC ms."""

To = Annotated[int, typer.Option("--to", parser=instant, metavar="TIME", help="Until when; not included.")]
"""The end of a range, as UTC ms."""

AsOf = Annotated[
    int | None,
    typer.Option(parser=instant, metavar="TIME", help="What was known then; now, when left out."),
]
"""An instant at which to look, as UTC ms."""
