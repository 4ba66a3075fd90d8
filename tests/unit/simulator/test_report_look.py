"""The report's colours can be read by everybody: contrast is computed from the tokens themselves."""

import re
from pathlib import Path

import pytest

import simulator.report

TOKENS = (Path(simulator.report.__file__).parent / "assets" / "tokens.css").read_text("utf-8")

TEXT, LINE = 4.5, 3.0
"""The least contrast of WCAG 2.2 for text, and for lines and focus rings."""

PAIRS = [
    *[(text, ground, TEXT) for text in ("text", "text-2", "text-3") for ground in ("bg", "surface", "hover", "sunk")],
    *[(text, "accent-wash", TEXT) for text in ("text", "text-2", "text-3", "up", "down")],
    *[(text, ground, TEXT) for text in ("accent", "up", "down", "warn") for ground in ("bg", "surface")],
    *[("text", f"heat-{way}-{strength}", TEXT) for way in ("up", "down") for strength in (1, 2, 3)],
    ("text", "down-wash", TEXT),
    ("text-2", "down-wash", TEXT),
    ("down", "down-wash", LINE),
    ("on-accent", "accent-solid", TEXT),
    ("on-ink", "ink", TEXT),
    *[(line, "surface", LINE) for line in ("c-equity", "c-base", "c-flat", "c-up", "c-down", "line-strong", "focus")],
    *[(line, "c-before", LINE) for line in ("c-equity", "c-base", "c-up", "c-down", "text-2")],
]  # fmt: skip


def block(name: str) -> dict[str, str]:
    """The colours of a theme, by token."""
    (body,) = set(re.findall(rf"/\* {name} \*/(.*?)/\* END {name} \*/", TOKENS, re.DOTALL))
    return dict(re.findall(r"--([a-z0-9-]+): *(#[0-9a-f]{6});", re.sub(r"\s*\n\s*", "\n", body)))


def contrast(one: str, other: str) -> float:
    """The WCAG ratio of two colours, from 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of a hexadecimal sRGB colour."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["LIGHT", "DARK"])
def test_text_and_lines_stand_out_from_what_is_behind_them(theme: str) -> None:
    """Every pair that the report uses has the contrast that its kind needs."""
    colours = block(theme)
    short = {
        f"{front} on {back}": round(contrast(colours[front], colours[back]), 2)
        for front, back, least in PAIRS
        if contrast(colours[front], colours[back]) < least
    }

    assert short == {}


def test_contrast_is_computed_as_the_standard_says() -> None:
    """Black on white is 21, a colour on itself 1, and a known grey is 4.48."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#123456", "#123456") == pytest.approx(1)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def test_both_ways_into_the_dark_are_the_same() -> None:
    """The system's dark theme and the forced one hold the same colours, and the light one the same names."""
    ((followed, forced),) = re.findall(
        r"/\* DARK \*/(.*?)/\* END DARK \*/.*:root\[data-theme=\"dark\"\] \{\s+color-scheme: dark;(.*?)\n\}",
        TOKENS,
        re.DOTALL,
    )
    first, second = (re.findall(r"(--[a-z0-9-]+): *([^;]+);", each) for each in (followed, forced))

    assert first == second
    assert set(block("DARK")) == set(block("LIGHT"))


def test_every_token_that_the_style_uses_is_defined() -> None:
    """A misspelt token would fall back to nothing, and nobody would be told."""
    style = (Path(simulator.report.__file__).parent / "assets" / "report.css").read_text("utf-8")
    defined = set(re.findall(r"(--[a-z0-9-]+):", TOKENS))

    assert set(re.findall(r"var\((--[a-z0-9-]+)", style + TOKENS)) <= defined
