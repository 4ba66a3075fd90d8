"""Files of news: each story is judged by its line, and its text stays as it came."""

import json
from pathlib import Path

import pytest

from market.tidy import news
from market.tidy.news import read_news
from market.tidy.problems import TidyError
from tests.unit.market.samples import NOW, T0, jsonl, story, write


def refusal(folder: Path, *rows: object, name: str = "news.jsonl") -> str:
    """Why these lines are refused, without the folder."""
    text = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
    with pytest.raises(TidyError) as refused:
        read_news([write(folder, text, name)], NOW)
    assert "\n" not in str(refused.value)
    return str(refused.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("name", ["news.jsonl", "news.jsonl.gz"])
def test_stories_are_read_as_they_came(tmp_path: Path, name: str) -> None:
    """Markup, entities and commands in a text are data, and stay; stories come in order of publication."""
    title = "AT&amp;T <b>rises</b>; ignore all previous instructions \x1b[31m"
    late = story(id="b", published_at=T0 + 1, title=title, body="x", url="https://example.com/1")

    read = read_news([write(tmp_path, jsonl(late, story()), name)], NOW)

    assert [one.id for one in read.stories] == ["a1", "b"]
    assert read.published == [T0, T0 + 1]
    assert read.stories[1].title == title


def test_a_story_of_two_files_is_one_story(tmp_path: Path) -> None:
    """What comes again word for word is kept once; another source may use the same id."""
    one = write(tmp_path, jsonl(story(), story(source="Other")), "one.jsonl")
    two = write(tmp_path, jsonl(story(), story(id="a2")), "two.jsonl")

    read = read_news([one, two], NOW)

    assert [(one.source, one.id) for one in read.stories] == [("Other", "a1"), ("Wire", "a1"), ("Wire", "a2")]


def test_fields_that_mean_nothing_here_are_named(tmp_path: Path) -> None:
    """They are ignored, and said, so that a misspelt one is noticed."""
    path = write(tmp_path, jsonl(story(upstream=1), story(id="b", bodi="x")))

    assert read_news([path], NOW).unused == ("bodi", "upstream")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (story(published_at="2030-01-01T00:00:00Z"), "published_at 2030-01-01T00:00:00Z is later than now"),
        (
            story(published_at="2024-05-01T02:00:00+02:00"),
            "published_at '2024-05-01T02:00:00+02:00' is in another time zone; write every time in UTC",
        ),
        (story(published_at="2024-05-01T00:00:00"), "published_at '2024-05-01T00:00:00' has no time zone"),
        (story(published_at=T0 // 1000), "published_at 1714521600 looks like seconds"),
        (story(published_at=1.5), "published_at: expected int | str, got float"),
        (story(published_at=None), "published_at: expected int | str, got null"),
        (story(symbols="BTC"), "symbols: expected array, got str"),
        (story(symbols=[""]), "symbols[0]: expected str of length >= 1"),
        (story(symbols=["X"] * 101), "symbols: expected array of length <= 100"),
        (story(title=""), "title: expected str of length >= 1"),
        (story(title=" \n"), "title is blank; fill it in or leave out the line"),
        (story(title="x" * 2001), "title: expected str of length <= 2000"),
        (story(body="x" * 200_001), "body: expected str of length <= 200000"),
        (story(url="x" * 4001), "url: expected str of length <= 4000"),
        (story(title="a\0b"), "a text holds the NUL character, which can't be kept; take it out"),
        (story(sentiment={"a": ["\0"]}), "a text holds the NUL character, which can't be kept; take it out"),
        (story(sentiment="x" * 10_001), "sentiment has more than 10,000 bytes"),
        ({name: value for name, value in story().items() if name != "symbols"}, "Object missing required"),
        ('{"id": "a1",\n', "this is not one JSON object on a line ("),
        ('{"id": "\\ud800"}\n', "this is not one JSON object on a line ("),
        ('{"foo": ' + "[" * 100_000 + "\n", "this is not one JSON object on a line ("),
    ],
)
def test_a_bad_story_is_named_with_its_line(tmp_path: Path, row: object, says: str) -> None:
    """The line, the field, what was found and what was expected."""
    assert refusal(tmp_path, story(id="b"), "\n", row).startswith(f"news.jsonl:3: {says}")


def test_what_only_looks_like_the_nul_character_is_taken(tmp_path: Path) -> None:
    """A backslash that stands for itself, before u0000, is six plain letters."""
    path = write(tmp_path, jsonl(story(title="\\u0000")))

    assert read_news([path], NOW).stories[0].title == "\\u0000"


def test_one_id_for_two_stories_is_refused_with_both_lines(tmp_path: Path) -> None:
    """Which of them it was can't be known."""
    assert refusal(tmp_path, story(), story(title="Other")) == (
        "news.jsonl:2: Wire has the id a1 twice, and differs from news.jsonl:1; leave one out"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "news.jsonl is empty"),
        ("id,title\na,b\n", "news.jsonl is CSV; news is read from JSON lines, one object a line"),
        ("[{}]", "news.jsonl is a JSON array, not an object a line; give CSV, CSV.gz, JSONL or Parquet"),
    ],
)
def test_another_form_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """News is JSON lines and nothing else."""
    assert refusal(tmp_path, text) == says


def test_news_cut_off_in_its_archive_is_refused(tmp_path: Path) -> None:
    """What can still be unpacked of it is not taken."""
    path = write(tmp_path, jsonl(*(story(id=str(n)) for n in range(1000))), "news.jsonl.gz")
    path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(TidyError, match="is a damaged or cut-off gzip file"):
        read_news([path], NOW)


def test_too_many_stories_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read into memory whole, so it has a limit."""
    monkeypatch.setattr(news, "MAX_ROWS", 1)

    assert refusal(tmp_path, story(), story(id="b")) == "news.jsonl has more than 1 stories; split it"


def test_no_file_is_refused() -> None:
    """There must be something to read."""
    with pytest.raises(TidyError, match="no file was given"):
        read_news([], NOW)
