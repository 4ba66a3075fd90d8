"""The doctor on models: keys, ways, facts and retirements, on both sides of their edges."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.checks import Check, State
from cli.doctor_models import check_base_url, check_models, check_probe, check_spending, check_thinking
from config.models import DEFAULT_MODEL, load_models
from config.settings import Settings, setting_names
from domain.time import parse_ts
from tests.standins.messages_api import StandIn, stand_in_thread

NOW = parse_ts("2026-11-22")


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a developer's own shell has set does not count."""
    for field in Settings.model_fields:
        for name in setting_names(field):
            monkeypatch.delenv(name, raising=False)


def settings(**given: Any) -> Settings:
    """Settings without a file."""
    return Settings(_env_file=None, **given)  # type: ignore[call-arg]


def checked(saved: Mapping[str, str] | None = None, **given: Any) -> dict[str, Check]:
    """The checks of settings, by name."""
    return {check.name: check for check in check_thinking(settings(**given), saved or {}, NOW)}


def judged(name: str, day: str = "2026-11-22") -> Check:
    """What is said of one model on a day."""
    return check_models(load_models(), {"AGENTIC_MODEL": f"anthropic:{name}"}, parse_ts(day))[0]


def test_without_a_key_there_is_one_variable_to_set() -> None:
    """That is a warning: baselines need none, and everything else is as it should be."""
    found = checked()

    assert found["model key"].state is State.WARN
    assert found["model key"].todo.startswith("set ANTHROPIC_API_KEY;")
    assert {check.state for name, check in found.items() if name != "model key"} == {State.OK}


def test_with_a_key_all_is_well_and_it_is_not_shown() -> None:
    """One variable is all that has to be set."""
    found = checked(anthropic_api_key="sk-planted")

    assert {check.state for check in found.values()} == {State.OK}
    assert "planted" not in repr(found)


@pytest.mark.parametrize(
    ("base_url", "state"),
    [
        (None, State.OK),
        ("https://gateway.example/x", State.OK),
        ("http://127.0.0.1:4000", State.OK),
        ("http://[::1]:4000", State.OK),
        ("http://localhost:11434", State.OK),
        ("http://gateway.example", State.WARN),
    ],
)
def test_a_key_should_not_cross_a_network_in_clear(base_url: str | None, state: State) -> None:
    """To this machine it may."""
    assert check_base_url(base_url).state is state


@pytest.mark.parametrize(
    ("name", "day", "state", "found"),
    [
        ("claude-sonnet-4-5", "2026-10-01", State.WARN, "retires on 2026-11-30"),
        ("claude-sonnet-4-5", "2026-11-29T23:59:59Z", State.WARN, "retires on 2026-11-30"),
        ("claude-sonnet-4-5", "2026-11-30", State.BAD, "was retired on 2026-11-30"),
        ("claude-sonnet-4-6", "2026-12-19", State.WARN, "may be retired from 2027-02-17"),
        ("claude-sonnet-4-6", "2027-02-17", State.WARN, "may be retired any day, since 2027-02-17"),
        ("claude-sonnet-4-6", "2026-03-12", State.WARN, "has no known price today"),
        (
            "claude-sonet-4-6",
            "2026-11-22",
            State.WARN,
            "is not in the model table: its price and cutoff are unknown",
        ),
    ],
)
def test_a_model_is_told_when_it_is_unknown_or_goes_out_of_service(
    name: str, day: str, state: State, found: str
) -> None:
    """Sixty days ahead; a day before which it stays is no day on which it goes."""
    check = judged(name, day)

    assert (check.state, check.found) == (state, f"{name} (of AGENTIC_MODEL) {found}")


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("claude-sonnet-4-5", "2026-09-30T23:59:59Z"),
        ("claude-sonnet-4-6", "2026-12-18"),
        ("claude-sonnet-5-5", "2029-01-01"),
    ],
)
def test_a_model_whose_end_is_far_or_not_known_is_well(name: str, day: str) -> None:
    """More than sixty days before the day, or without one."""
    assert judged(name, day) == Check("models", State.OK, f"known and in service: {name}")


def test_what_to_do_about_a_model_is_said() -> None:
    """Another one for one that goes; the right name, or a file of facts, for one that is not known."""
    assert judged("claude-sonnet-4-5").todo == f"use another, such as {DEFAULT_MODEL}"
    assert judged("claude-sonnet-4-6", "2027-02-17").todo == "use another"
    assert judged("claude-sonet-4-6").todo.startswith(
        "did you mean anthropic:claude-sonnet-4-6? If not, describe"
    )
    assert judged("qwen3:30b").todo.startswith("describe it in a file and set AGENTIC_MODELS_FILE")


def test_the_models_of_saved_skills_count_too_and_baselines_do_not() -> None:
    """One line for each model that there is something to say of, with who uses it."""
    table = load_models()
    used = {
        "AGENTIC_MODEL": DEFAULT_MODEL,
        **{f"old-{number}": "anthropic:claude-sonnet-4-5" for number in range(5)},
        "trend": "baseline:sma-cross",
    }

    found = check_models(table, used, NOW)

    assert [check.found for check in found] == [
        "claude-sonnet-4-5 (of old-0, old-1, old-2 and 2 more) retires on 2026-11-30"
    ]


def test_a_file_of_facts_that_cannot_be_used_is_bad(tmp_path: Path) -> None:
    """The line names the file; what is looked at besides is still told."""
    path = tmp_path / "models.toml"
    path.write_text("[models.x]\ncutoff = 1\n")

    found = checked(models_file=path)

    assert found["models"].state is State.BAD
    assert str(path) in found["models"].found
    assert found["MCP servers"].state is State.OK


def test_a_file_of_facts_counts(tmp_path: Path) -> None:
    """A model that the table lacks is known once a file describes it."""
    path = tmp_path / "models.toml"
    rates = "input = 0, output = 0, cache_read = 0, cache_write_5m = 0, cache_write_1h = 0"
    path.write_text(f'[models."qwen3:30b"]\nprices = [{{valid_from = 2026-01-01, {rates}}}]\n')

    assert checked(model="anthropic:qwen3:30b")["models"].state is State.WARN
    assert checked(model="anthropic:qwen3:30b", models_file=path)["models"].state is State.OK


def test_mcp_servers_are_read_and_not_started() -> None:
    """Their names are shown, and a mistake is told."""
    servers = {"wx": {"command": "no-such-program"}, "news": {"url": "https://news.example/mcp"}}

    assert checked(mcp_servers=servers)["MCP servers"] == Check("MCP servers", State.OK, "news, wx")
    assert checked(mcp_servers={"wx": {"comand": "x"}})["MCP servers"].state is State.BAD


def probed(api: StandIn, **given: Any) -> Check:
    """What a probe says of the stand-in."""
    return check_probe(settings(model_base_url=api.url, **given))


def test_a_probe_tries_the_key_and_the_model_without_asking_it() -> None:
    """A wrong key and a model that is not there are told; nothing is ever asked that costs."""
    with stand_in_thread(keys={"sk-planted"}, models={"claude-sonnet-4-6"}) as api:
        well = probed(api, anthropic_api_key="sk-planted")
        as_header = probed(api, anthropic_api_key="sk-planted", model_auth="x-api-key")
        no_key = probed(api, anthropic_api_key="sk-other")
        no_model = probed(api, anthropic_api_key="sk-planted", model="anthropic:claude-sonnet-9")

        assert [one.state for one in (well, as_header, no_key, no_model)] == ["ok", "ok", "bad", "bad"]
        assert well.found == f"{api.url} has no objection to the key and claude-sonnet-4-6"
        assert api.calls == 0
    assert "sk-" not in f"{well} {as_header} {no_key} {no_model}"


def test_a_probe_says_when_nothing_answers_and_when_there_is_no_key() -> None:
    """Nothing listens on port 1."""
    silent = check_probe(settings(anthropic_api_key="sk-x", model_base_url="http://127.0.0.1:1"))

    assert silent.state is State.BAD
    assert silent.found.startswith("http://127.0.0.1:1: ")
    assert check_probe(settings()) == Check(
        "probe", State.BAD, "there is no key to try", "set ANTHROPIC_API_KEY"
    )


@pytest.mark.parametrize(
    ("own", "by_all", "state", "todo"),
    [
        ("19.99", "79.99", State.OK, ""),
        ("20", "20", State.WARN, "wait for the next UTC day, or raise AGENTIC_INFERENCE_USD_PER_USER_DAY"),
        ("1", "80", State.WARN, "wait for the next UTC day, or raise AGENTIC_INFERENCE_USD_PER_DAY"),
    ],
)
def test_a_days_budget_that_is_nearly_spent_is_told(own: str, by_all: str, state: State, todo: str) -> None:
    """From four fifths on, with the setting to raise."""
    check = check_spending(settings(), Decimal(own), Decimal(by_all))
    assert (check.state, check.todo) == (state, todo)
    assert check.found == f"you {Decimal(own):.2f} of 25.00 USD, all {Decimal(by_all):.2f} of 100.00 USD"
