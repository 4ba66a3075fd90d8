"""The prompts that ship with the product, one Markdown file each."""

from functools import cache
from importlib.resources import files


@cache
def prompt(name: str) -> str:
    """The text of `NAME.md`, without blank lines around it."""
    return files(__name__).joinpath(f"{name}.md").read_text("utf-8").strip()
