"""The terminal as commands draw on it. Rich is loaded with it, so it is imported only where something is drawn."""

import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from cli.output import printable

PIPE_WIDTH = 200
"""Columns that tables may take where there is no terminal to ask."""


class Terminal(Console):
    """A Rich console that takes texts as they are: no markup, and nothing in them that a terminal would act on."""

    def __init__(self, *, stderr: bool = False) -> None:
        stream = sys.stderr if stderr else sys.stdout
        width = None if stream.isatty() else PIPE_WIDTH
        super().__init__(file=stream, width=width, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)
