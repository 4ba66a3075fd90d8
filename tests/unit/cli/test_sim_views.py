"""Figures as the sim commands write them."""

import pytest

from cli.sim_views import figure


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        (0.0542, "percent", "+5.42%"),
        (-0.2013, "percent", "−20.13%"),
        (-0.0000001, "percent", "0.00%"),
        (9.4e70, "percent", "over +1,000,000%"),
        (None, "percent", "–"),
        ("7986.754", "usd", "7,986.75"),
        (-0.201, "rough", "−20.1%"),
    ],
)
def test_a_figure_is_short_and_has_its_sign(value: float | str | None, form: str, expected: str) -> None:
    """Also a gain that, annualised, has more digits than a table has room for."""
    assert figure(value, form) == expected
