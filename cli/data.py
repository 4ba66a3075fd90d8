"""`agentic data`: market history in and out."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli import data_views as views
from cli.boot import in_house
from cli.output import AsJson, console, emit
from cli.values import AsOf, From, Interval, To
from control import data as control
from market.importing import Kind, Wanted

app = typer.Typer(no_args_is_help=True, help="Market history: import it, make it up, see what there is.")
bring_in = typer.Typer(
    no_args_is_help=True,
    help="Import tidy files: CSV, JSON lines (each also gzipped) or Parquet. All rows of a command, or none.",
)
app.add_typer(bring_in, name="import")

Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="One file, or several of one series.")]
Symbol = Annotated[str, typer.Option(metavar="BTC", help="The venue's name of it.", show_default=False)]
OneSymbol = Annotated[str | None, typer.Option("--symbol", metavar="BTC", help="Of this symbol only.")]
Source = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Where the data is from; the folder's name, when left out. 'synthetic': made up."
    ),
]
SizeDecimals = Annotated[
    int | None, typer.Option(metavar="N", help="For a symbol the instrument table lacks: decimals of a size.")
]
MaxLeverage = Annotated[
    int | None, typer.Option(metavar="N", help="For a symbol the instrument table lacks: the most leverage.")
]


@bring_in.command()
def bars(
    files: Files,
    symbol: Symbol,
    interval: Interval,
    source: Source = None,
    sz_decimals: SizeDecimals = None,
    max_leverage: MaxLeverage = None,
    as_json: AsJson = False,
) -> None:
    """Trade bars: ts,open,high,low,close,volume; ts is the open, in UTC ms."""
    _import(
        Wanted(Kind.BARS, tuple(files), symbol, interval, source, sz_decimals, max_leverage), as_json=as_json
    )


@bring_in.command()
def mark(
    files: Files,
    symbol: Symbol,
    interval: Interval,
    source: Source = None,
    sz_decimals: SizeDecimals = None,
    max_leverage: MaxLeverage = None,
    as_json: AsJson = False,
) -> None:
    """Mark price bars: ts,open,high,low,close; ts is the open, in UTC ms."""
    _import(
        Wanted(Kind.MARK, tuple(files), symbol, interval, source, sz_decimals, max_leverage), as_json=as_json
    )


@bring_in.command()
def funding(
    files: Files,
    symbol: Symbol,
    source: Source = None,
    sz_decimals: SizeDecimals = None,
    max_leverage: MaxLeverage = None,
    as_json: AsJson = False,
) -> None:
    """Funding rates: ts,rate; ts is when it was charged, rate a fraction (0.0001 is 1 bps)."""
    _import(
        Wanted(Kind.FUNDING, tuple(files), symbol, None, source, sz_decimals, max_leverage), as_json=as_json
    )


@bring_in.command()
def news(files: Files, as_json: AsJson = False) -> None:
    """News, JSON lines: id, published_at, source, title, symbols; body and url if there are any."""
    with _telling() as tell:
        done = in_house(lambda home: control.bring_in_news(home.database, home.clock, files, tell))
    emit(done, as_json, views.news_imported)


@app.command()
def synth(
    symbol: Symbol,
    interval: Interval,
    from_ts: From,
    to_ts: To,
    seed: Annotated[int, typer.Option(help="Another seed makes other data; the same makes the same.")] = 1,
    sz_decimals: SizeDecimals = None,
    max_leverage: MaxLeverage = None,
    as_json: AsJson = False,
) -> None:
    """Make up bars, marks, funding and news of a symbol, labelled synthetic wherever they are shown.

    They take the place of what was made up of the symbol before. A symbol with real data is left alone.
    """
    request = control.MadeUpRequest(symbol, interval, from_ts, to_ts, seed, sz_decimals, max_leverage)
    with _telling() as tell:
        kept = in_house(lambda home: control.make_up_data(home.database, home.clock, request, tell))
    emit(views.kept_document(kept, request), as_json, lambda _: views.kept(kept, request))


@app.command()
def coverage(symbol: OneSymbol = None, as_json: AsJson = False) -> None:
    """What market data there is, from where, and its gaps."""
    whole = in_house(lambda home: control.look_over(home.database, home.user_id, symbol))
    emit(views.coverage_document(whole), as_json, lambda _: views.coverage(whole, symbol))


@app.command("news")
def search(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORDS", help="Words, '\"a phrase\"', or, '-without'.")
    ] = None,
    as_of: AsOf = None,
    symbol: OneSymbol = None,
    limit: Annotated[int, typer.Option(metavar="N", help="At most so many stories.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Search the news as it was known at a time; without WORDS, the newest."""
    found = in_house(
        lambda home: control.find_news(
            home.database,
            home.user_id,
            " ".join(words or ()),
            as_of=home.clock.now_ms() if as_of is None else as_of,
            symbol=symbol,
            limit=limit,
        )
    )
    emit(views.stories_document(found), as_json, lambda _: views.stories(found))


def _import(wanted: Wanted, *, as_json: bool) -> None:
    with _telling() as tell:
        done = in_house(lambda home: control.bring_in(home.database, home.clock, wanted, tell))
    emit(views.imported_document(done), as_json, lambda _: views.imported(done))


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """Show what is being done on stderr while it lasts, and nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    with console(stderr=True).status("starting") as status:
        yield lambda text: status.update(text)
