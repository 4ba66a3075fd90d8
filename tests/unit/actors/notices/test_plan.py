"""What is sent, folded, put off and not sent at all."""

from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from actors.notices.plan import MOST_TITLES, MOST_TRIES, OLD_MS, folded, plan
from actors.notices.ration import BURST, Rations
from domain.time import MINUTE_MS
from tests.unit.actors.notices.samples import ME, T0, YOU, waiting

MESSAGE = UUID(int=7)


def nobody(user_id: UUID) -> str | None:
    """There is nobody who is not sent anything."""
    return None


def test_a_few_are_sent_one_by_one() -> None:
    """In the order in which they were told."""
    made = plan(waiting(3), T0, Rations(30), nobody)

    assert [message.text.title for message in made.messages] == ["fill 0", "fill 1", "fill 2"]
    assert {message.attempt for message in made.messages} == {1}


def test_a_flood_is_one_message_after_a_few() -> None:
    """The last message that may leave says how many more there were, and of which deployments."""
    made = plan(waiting(BURST + 7), T0, Rations(30), nobody)

    assert len(made.messages) == BURST
    assert made.messages[-1].text.title == "8 more fills: trend (8)"
    assert made.messages[-1].text.body.splitlines() == [f"fill {n}" for n in range(4, 12)]


def test_without_a_token_all_wait_for_the_next() -> None:
    """And are then one message."""
    rations = Rations(30)
    for _ in range(BURST):
        rations.take((ME, "fill", "info"), T0)
    rows = waiting(3)

    made = plan(rows, T0, rations, nobody)
    assert made.messages == []
    assert made.put_off == [([row.id for row in rows], T0 + 2 * MINUTE_MS)]
    later = plan(rows, T0 + 2 * MINUTE_MS, rations, nobody)
    assert [message.text.title for message in later.messages] == ["3 more fills: trend (3)"]


def test_one_kind_does_not_use_up_anothers_ration_and_the_gravest_goes_first() -> None:
    """A halt is not behind a hundred fills, nor is a liquidation."""
    grave = [
        *waiting(1, kind="halt", severity="urgent", title="halted"),
        *waiting(1, severity="urgent", title="liquidated"),
    ]

    made = plan([*waiting(100), *grave], T0, Rations(30), nobody)

    assert [message.text.title for message in made.messages[:2]] == ["halted", "liquidated"]
    assert len(made.messages) == 2 + BURST


def test_a_message_that_was_tried_is_the_same_message_again() -> None:
    """It takes no token, carries the same, and goes to those only who don't have it."""
    rations = Rations(30)
    for _ in range(BURST):
        rations.take((ME, "fill", "info"), T0)
    rows = waiting(3, message=MESSAGE, attempts=2, delivered=["json"])

    made = plan(rows, T0, rations, nobody)

    assert [(one.id, one.attempt, one.delivered) for one in made.messages] == [(MESSAGE, 3, ["json"])]
    assert made.messages[0].text.title == "3 more fills: trend (3)"


def test_what_was_lost_every_time_is_given_up() -> None:
    """A message that ends the process each time must not do so for ever."""
    made = plan(waiting(2, message=MESSAGE, attempts=MOST_TRIES), T0, Rations(30), nobody)

    assert [(one.id, one.attempt) for one in made.given_up] == [(MESSAGE, MOST_TRIES)]
    assert made.messages == []


def test_what_is_old_or_has_no_receiver_is_not_sent() -> None:
    """And it is said why."""
    mine, yours = waiting(1), waiting(1, user_id=YOU)

    made = plan(
        [*mine, *yours], T0 + OLD_MS + 1, Rations(30), lambda user: "not you" if user == YOU else None
    )

    assert made.suppressed == {
        "nothing could send it for a day": [mine[0].id],
        "not you": [yours[0].id],
    }


def test_many_are_told_as_how_many_and_whose() -> None:
    """Names by how often they come, a few titles, and where to see the rest."""
    names = ["a"] * 2 + ["b"] * 9 + ["c", "d", "e", "f"]
    rows = [
        msgspec.structs.replace(row, deployment=name) for row, name in zip(waiting(15), names, strict=True)
    ]

    text = folded(rows)

    assert text.title == "15 more fills: b (9), a (2), c (1), d (1) and 2 others"
    assert text.body.splitlines()[-1] == "… and 5 more: agentic notify list shows them all"
    assert len(text.body.splitlines()) == MOST_TITLES + 1


KINDS = st.sampled_from(["fill", "halt", "failure"])
ROWS = st.lists(
    st.tuples(st.sampled_from([ME, YOU]), KINDS, st.sampled_from(["info", "urgent"]), st.integers(0, 9)),
    max_size=40,
)


@given(ROWS, st.integers(0, BURST))
def test_each_is_in_one_place(rows: list[tuple[UUID, str, str, int]], taken: int) -> None:
    """Sent in one message, put off or suppressed: nothing is dropped, and nothing is told twice."""
    due = [
        waiting(
            1,
            user_id=user,
            kind=kind,
            severity=severity,
            seq=n,
            attempts=tried,
            message=UUID(int=n) if tried else None,
        )[0]
        for n, (user, kind, severity, tried) in enumerate(rows, 1)
    ]
    rations = Rations(30)
    for _ in range(taken):
        rations.take((ME, "fill", "info"), T0)

    made = plan(due, T0, rations, lambda user: "no" if user == YOU else None)

    placed = [
        *(id for message in (*made.messages, *made.given_up) for id in message.ids),
        *(id for ids, _ in made.put_off for id in ids),
        *(id for ids in made.suppressed.values() for id in ids),
    ]
    assert sorted(placed) == sorted(row.id for row in due)
    assert (
        sum(message.attempt == 1 and message.of == (ME, "fill", "info") for message in made.messages)
        <= BURST - taken
    )
