"""A schedule says when a Skill ticks, aligned with the clock, in UTC."""

from calendar import monthrange
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.time import DAY_MS, HOUR_MS, MINUTE_MS, iso, parse_ts, to_ms
from skills.schedule import Schedule

INTERVALS = st.sampled_from([minutes for minutes in range(1, 1441) if 1440 % minutes == 0])
INSTANTS = st.integers(parse_ts("2020-01-01"), parse_ts("2032-01-01"))


def cron_field(low: int, high: int) -> st.SearchStrategy[str]:
    """Any way to write one field of a cron."""
    number = st.integers(low, high)
    pair = st.tuples(number, number).map(sorted).map(lambda ends: f"{ends[0]}-{ends[1]}")
    step = st.integers(1, high - low)
    part = st.one_of(
        st.just("*"),
        number.map(str),
        pair,
        step.map(lambda every: f"*/{every}"),
        st.tuples(pair, step).map(lambda both: f"{both[0]}/{both[1]}"),
    )
    return st.lists(part, min_size=1, max_size=3).map(",".join)


CRONS = st.tuples(
    cron_field(0, 59), cron_field(0, 23), cron_field(1, 31), cron_field(1, 12), cron_field(0, 7)
).map(" ".join)


def chosen(field: str, low: int, high: int) -> set[int]:
    """The numbers a field of a cron chooses, the slow way: by trying each."""
    return {
        value for value in range(low, high + 1) if any(fits(part, value, low) for part in field.split(","))
    }


def fits(part: str, value: int, low: int) -> bool:
    """Whether one part of a field chooses a number."""
    span, _, step = part.partition("/")
    first, _, last = span.partition("-")
    if span == "*":
        return (value - low) % int(step or 1) == 0
    return int(first) <= value <= int(last or first) and (value - int(first)) % int(step or 1) == 0


def fires(cron: str, moment: datetime) -> bool:
    """Whether a cron fires at a minute, read straight from the rule that crontab(5) states."""
    minute, hour, date, month, weekday = cron.split()
    by_date = moment.day in chosen(date, 1, 31)
    by_weekday = moment.isoweekday() % 7 in {day % 7 for day in chosen(weekday, 0, 7)}
    both_given = not date.startswith("*") and not weekday.startswith("*")
    return (
        moment.minute in chosen(minute, 0, 59)
        and moment.hour in chosen(hour, 0, 23)
        and moment.month in chosen(month, 1, 12)
        and (by_date or by_weekday if both_given else by_date and by_weekday)
    )


@given(INTERVALS, INSTANTS)
def test_an_interval_ticks_at_its_multiples_from_midnight(minutes: int, ts: int) -> None:
    """The next tick is the next multiple since the epoch, which is one since midnight too."""
    schedule = Schedule.parse(f"{minutes}m")
    every_ms = minutes * MINUTE_MS

    assert schedule.next_after(ts) == (ts // every_ms + 1) * every_ms
    assert schedule.is_due(ts) == (ts % every_ms == 0)
    assert schedule.grid_ms == schedule.min_gap_ms == every_ms


@given(CRONS, st.datetimes(datetime(2020, 1, 1), datetime(2032, 1, 1)))  # noqa: DTZ001 – made aware below
def test_a_cron_is_due_when_crontab_says_so(cron: str, naive: datetime) -> None:
    """Each minute is judged alike by the schedule and by a plain reading of the rule."""
    moment = naive.replace(second=0, microsecond=0, tzinfo=UTC)
    try:
        schedule = Schedule.parse(cron)
    except ValueError:
        assume(False)

    assert schedule.is_due(to_ms(moment)) == fires(cron, moment)
    assert not schedule.is_due(to_ms(moment) + 1)


@given(CRONS, INSTANTS)
def test_the_next_tick_is_due_and_none_lies_between(cron: str, ts: int) -> None:
    """`next_after` moves forward to a tick, and skips none that a search by the minute would find."""
    try:
        schedule = Schedule.parse(cron)
    except ValueError:
        assume(False)
    following = schedule.next_after(ts)

    assert following > ts
    assert schedule.is_due(following)
    between = range(-(-(ts + 1) // MINUTE_MS) * MINUTE_MS, min(following, ts + DAY_MS), MINUTE_MS)
    assert not any(map(schedule.is_due, between))


@given(CRONS | INTERVALS.map(lambda minutes: f"{minutes}m"), INSTANTS)
def test_every_tick_lies_on_the_grid_and_ticks_keep_their_distance(text: str, start: int) -> None:
    """The grid holds every tick, and no two are closer than the shortest gap."""
    try:
        schedule = Schedule.parse(text)
    except ValueError:
        assume(False)
    ticks = [schedule.next_after(start)]
    for _ in range(20):
        ticks.append(schedule.next_after(ticks[-1]))

    assert all(tick % schedule.grid_ms == 0 for tick in ticks)
    assert all(later - earlier >= schedule.min_gap_ms for earlier, later in pairwise(ticks))
    assert ticks[:-1] == list(schedule.ticks(ticks[0], ticks[-1]))


@given(
    st.sampled_from(["29", "30", "31", "30-31", "*/30", "1,31"]) | cron_field(1, 31),
    st.sampled_from(["2", "4", "2,6", "4-5", "2-4/2"]) | cron_field(1, 12),
    st.sampled_from(["*", "1", "*/3"]),
)
def test_a_cron_is_refused_exactly_when_it_never_fires(date: str, month: str, weekday: str) -> None:
    """Over the 400 years after which the calendar repeats, one that is taken fires; one refused does not."""
    cron = f"0 0 {date} {month} {weekday}"
    candidates = (
        datetime(year, month_number, day, tzinfo=UTC)
        for year in range(2000, 2400)
        for month_number in chosen(month, 1, 12)
        for day in (chosen(date, 1, 31) if weekday.startswith("*") else range(1, 32))
        if day <= monthrange(year, month_number)[1]
    )
    if any(fires(cron, day) for day in candidates):
        Schedule.parse(cron)
    else:
        with pytest.raises(ValueError, match="never fires"):
            Schedule.parse(cron)


@given(CRONS)
def test_the_canonical_text_means_the_same(cron: str) -> None:
    """Reading a schedule's own text gives an equal schedule."""
    try:
        schedule = Schedule.parse(f"  {cron.upper()} ")
    except ValueError:
        assume(False)

    assert Schedule.parse(schedule.text) == schedule


@pytest.mark.parametrize(
    ("text", "canonical"), [("60m", "1h"), ("24h", "1d"), (" 4H ", "4h"), ("90m", "90m")]
)
def test_an_interval_has_one_name(text: str, canonical: str) -> None:
    """The same interval is written the same way, so that it has the same digest."""
    assert Schedule.parse(text).text == canonical


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("0 */4 * * *", "2025-03-01T04:00:00Z", "2025-03-01T08:00:00Z"),
        ("30 9 * * mon-fri", "2025-02-28T12:00:00Z", "2025-03-03T09:30:00Z"),
        ("0 0 * * 7", "2025-03-01", "2025-03-02T00:00:00Z"),
        ("0 0 29 2 *", "2025-01-01", "2028-02-29T00:00:00Z"),
        ("0 0 29 2 *", "2096-03-01", "2104-02-29T00:00:00Z"),
        ("0 0 13 * fri", "2025-06-01", "2025-06-06T00:00:00Z"),
        ("0 12 1 jan,jul *", "2025-01-01T12:00:00Z", "2025-07-01T12:00:00Z"),
    ],
)
def test_a_cron_fires_where_people_expect_it(cron: str, after: str, expected: str) -> None:
    """Names, Sunday as 7, leap days, and the day of the month or the weekday when both are given."""
    assert iso(Schedule.parse(cron).next_after(parse_ts(after))) == expected


def test_a_day_by_date_and_a_step_of_weekdays_must_both_fit() -> None:
    """A weekday field that starts with * does not widen the date, as in crontab."""
    schedule = Schedule.parse("0 0 1 * */2")

    assert iso(schedule.next_after(parse_ts("2025-03-02"))) == "2025-04-01T00:00:00Z"
    assert iso(schedule.next_after(parse_ts("2025-04-01"))) == "2025-05-01T00:00:00Z"
    assert iso(schedule.next_after(parse_ts("2025-05-01"))) == "2025-06-01T00:00:00Z"
    assert iso(schedule.next_after(parse_ts("2025-06-01"))) == "2025-07-01T00:00:00Z"
    assert iso(schedule.next_after(parse_ts("2025-07-01"))) == "2025-11-01T00:00:00Z"


def test_ticks_start_at_from_and_end_before_to() -> None:
    """A range of ticks holds its start and not its end."""
    assert list(Schedule.parse("1h").ticks(0, 3 * HOUR_MS)) == [0, HOUR_MS, 2 * HOUR_MS]
    assert list(Schedule.parse("1h").ticks(1, HOUR_MS)) == []


@pytest.mark.parametrize(
    ("cron", "grid_ms"),
    [("0 * * * *", HOUR_MS), ("5 * * * *", 5 * MINUTE_MS), ("0 9 * * *", 3 * HOUR_MS), ("0 0 * * *", DAY_MS)],
)
def test_the_grid_is_the_coarsest_that_holds_every_tick(cron: str, grid_ms: int) -> None:
    """Nine in the morning lies on a grid of three hours, and on none coarser."""
    assert Schedule.parse(cron).grid_ms == grid_ms


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "'' is not a schedule; write an interval that divides a day"),
        ("7m", "'7m' does not divide a day into whole minutes"),
        ("30s", "'30s' does not divide a day into whole minutes"),
        ("2d", "'2d' does not divide a day into whole minutes"),
        ("@daily", "'@daily' is not a schedule"),
        ("* * * * * *", "is not a schedule"),
        ("60 * * * *", "'60' is no minute; it runs from 0 to 59"),
        ("0 24 * * *", "'24' is no hour; it runs from 0 to 23"),
        ("0 0 0 * *", "'0' is no day of month; it runs from 1 to 31"),
        ("0 0 * fri *", "'fri' is no month; it runs from 1 to 12"),
        ("0 0 * * 8", "'8' is no weekday; it runs from 0 to 7"),
        ("0 0 * * fri-mon", "'fri-mon' runs backwards"),
        ("*/0 * * * *", "'*/0' has an impossible step"),
        ("*/90 * * * *", "'*/90' has an impossible step; one of the minute is from 1 to 59"),
        ("5/2 * * * *", "'5/2' is no minute; write *, 5, 1-5, */2, 1-5/2 or a list of them"),
        ("1,,2 * * * *", "'' is no minute"),
        ("٣ * * * *", "'٣' is no minute"),
        ("0 0 30 2 *", "'0 0 30 2 *' never fires: no month chosen has a day 30"),
        ("0 0 31 2,4,jun *", "never fires"),
    ],
)
def test_what_is_no_schedule_is_refused_with_what_to_write(text: str, complaint: str) -> None:
    """The complaint names what was found and what would be right."""
    with pytest.raises(ValueError) as caught:
        Schedule.parse(text)

    assert complaint in str(caught.value)
