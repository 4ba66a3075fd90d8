"""Ids: ordered by time, or the same whenever the same work is done again."""

import re
from itertools import pairwise, product
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.ids import client_order_id, decision_id, uuid7

TIMES = st.integers(0, 2**48 - 1)
NOISE = st.binary(min_size=10, max_size=10)


@given(TIMES, NOISE)
def test_a_uuid_of_version_7_has_its_fields_where_rfc_9562_puts_them(now_ms: int, noise: bytes) -> None:
    """48 bits of time, version 7, variant 2, and the noise in all that is left."""
    made = uuid7(now_ms, noise)

    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == now_ms
    low62, high12 = made.int & (1 << 62) - 1, made.int >> 64 & 0xFFF
    given_noise = int.from_bytes(noise, "big")
    assert low62 == given_noise & (1 << 62) - 1
    assert high12 == given_noise >> 64 & 0xFFF


def test_the_rfcs_own_example_comes_out() -> None:
    """RFC 9562, A.6: 2022-02-22 19:22:22 UTC, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F."""
    noise = (0xCC3 << 64 | 0x18C4DC0C0C07398F).to_bytes(10, "big")

    assert uuid7(1645557742000, noise) == UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")


@given(st.lists(TIMES, min_size=2, max_size=5, unique=True).map(sorted), NOISE, NOISE)
def test_later_ids_sort_after_earlier_ones(times: list[int], one: bytes, other: bytes) -> None:
    """Whatever the noise."""
    for earlier, later in pairwise(times):
        assert uuid7(earlier, one) < uuid7(later, other)


def test_without_anything_handed_in_two_ids_differ() -> None:
    """The machine's noise is used."""
    assert uuid7(0) != uuid7(0)


def test_ids_made_in_one_millisecond_sort_as_they_were_made() -> None:
    """Rows of one moment are listed in the order in which they came to be."""
    made = [uuid7() for _ in range(50)]

    assert made == sorted(made)


def test_a_decision_is_named_by_account_and_tick() -> None:
    """The same again gives the same name; another account or tick another."""
    names = {decision_id(account, ts) for account, ts in product(("a", "b"), (0, 1))}

    assert len(names) == 4
    assert decision_id("a", 1) == decision_id("a", 1)


def test_a_client_order_id_is_named_by_all_that_makes_the_order() -> None:
    """Account, decision, action and attempt; as the venue takes it, 0x and 32 hex digits."""
    names = {client_order_id(*parts) for parts in product(("a", "b"), ("d", "e"), (0, 1), (0, 1))}

    assert len(names) == 16
    assert all(re.fullmatch("0x[0-9a-f]{32}", name) for name in names)
    assert client_order_id("a", "d", 0) == client_order_id("a", "d", 0, 0)


def test_parts_do_not_run_into_each_other() -> None:
    """ "ab" + "c" is not "a" + "bc"."""
    assert client_order_id("ab", "c", 0) != client_order_id("a", "bc", 0)
    assert client_order_id("a", "d", 1, 11) != client_order_id("a", "d", 11, 1)
