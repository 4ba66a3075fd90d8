"""What the engine answers: approved, or refused with the cap, its limit and the value it would have had."""

from decimal import Decimal

from domain.verdicts import Verdict, refusal


def test_a_refusal_names_cap_limit_and_value() -> None:
    """In one line, decimals plain, with a hint where there is one."""
    assert str(refusal("max_order_usd", Decimal("1E+3"), Decimal("1500.50"))) == (
        "max_order_usd 1000, would have been 1500.5"
    )
    assert (
        str(refusal("symbols", ("BTC",), "ETH", "trade BTC"))
        == "symbols ('BTC',), would have been ETH; trade BTC"
    )


def test_a_verdict_without_refusals_is_an_approval() -> None:
    """And with one it is none, whatever orders it names."""
    assert Verdict(orders=(1,)).approved
    assert not Verdict(orders=(1,), refusals=(refusal("cap", 1, 2),)).approved


def test_a_number_of_any_length_is_told_shortly() -> None:
    """Thousands of digits are cut like any other text."""
    assert len(refusal("size", 1, Decimal("0.0000001" + "1" * 5000)).would_be) == 200
