"""Money arithmetic. Amounts, prices and sizes are `Decimal`, always exact; floats are for indicators only.

Sums and products of legal prices and sizes fit 28 digits with room to spare (a price has at most 15 significant
digits, a size about 12), so the books never round except where a rule says so.
"""

from decimal import ROUND_DOWN, Decimal

ZERO = Decimal(0)
ONE = Decimal(1)
BPS = Decimal("0.0001")
PERCENT = Decimal("0.01")
USD_QUANTUM = Decimal("0.000001")
LONGEST_WRITTEN_OUT = 30
"""How many places before or behind the point are written out at most: 1e999999999 would fill all memory."""


def truncate_usd(amount: Decimal) -> Decimal:
    """Cut an amount to 1e-6 USD, towards zero, as the venue does with fees and funding."""
    return amount.quantize(USD_QUANTUM, rounding=ROUND_DOWN)


def exact(value: float) -> Decimal:
    """The decimal a float stands for: its shortest text. Raises ValueError when it is not finite."""
    number = Decimal(repr(value))
    if not number.is_finite():
        raise ValueError(f"a number must be finite, was {value}")
    return number


def plain(amount: Decimal) -> str:
    """Write an amount without exponent and without trailing zeros, so that equal amounts have equal text.

    What nobody would write out keeps its exponent: a number of a model's may be of any size.
    """
    if not amount:
        return "0"
    if abs(amount.adjusted()) > LONGEST_WRITTEN_OUT:
        return _with_exponent(amount)
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _with_exponent(amount: Decimal) -> str:
    sign, digits, exponent = amount.as_tuple()
    kept = len("".join(map(str, digits)).rstrip("0"))
    return str(Decimal((sign, digits[:kept], int(exponent) + len(digits) - kept)))


def canonical(amount: Decimal) -> Decimal:
    """The same amount without exponent and trailing zeros.

    How many zeros a price trails depends on how finely its series is kept, and so on later prices; what is shown to an
    agent or written down must not.
    """
    return Decimal(plain(amount))
