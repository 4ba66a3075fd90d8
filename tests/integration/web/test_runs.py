"""The list of runs and one run, for people and for programs."""

import re
from uuid import UUID

import msgspec
import pytest

from control import data, runs, skills
from control.data import MadeUpRequest
from control.runs import RunRequest
from db.pool import Database
from domain.caps import LOOSEST
from domain.time import HOUR_MS, ManualClock, parse_ts
from tests.integration.web.conftest import NOW, Site, ask, finish, stop
from tests.standins.provider import NO_MODELS
from tests.unit.control.test_skill_check import STARTED

OLD_ID = "01a20fa6-d76d-7f0d-b728-41064435a79c"


def words_of(page: str) -> str:
    """What a page says, without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("<body>")[2]).split())


async def test_an_empty_list_says_the_next_step(signed_in: Site, database: Database, owner: UUID) -> None:
    """All of it on an empty database; less and less as data and a Skill are there."""
    nothing = words_of(await (await signed_in.client.get("/")).text())
    await skills.save(database, owner, STARTED.replace("btc-trend", "mine"))
    with_skill = words_of(await (await signed_in.client.get("/")).text())

    assert "agentic data synth --symbol BTC" in nothing
    assert "agentic skill new btc-trend" in nothing
    assert "agentic skill new" not in with_skill
    assert "agentic sim run mine" in with_skill


async def test_a_finished_run_shows_its_figures(
    signed_in: Site, database: Database, owner: UUID, version_id: UUID
) -> None:
    """The return beside buy and hold; what is undefined says so; made-up data is labelled."""
    run_id = await ask(database, owner, version_id)
    await finish(database, run_id, synthetic=True)

    page = await (await signed_in.client.get("/")).text()
    said = words_of(page)

    assert f'href="/runs/{run_id}"' in page
    for words in ("btc-trend@1", "BTC, ETH, 1 Jan to 30 Sep 2024", "Synthetic data", "Done", "2 warnings"):
        assert words in said
    assert "+13.59% +6.10% undefined −12.67% 20" in said
    assert '<span class="up">+13.59%</span>' in page


async def test_a_models_run_is_listed_with_what_its_thinking_took(
    signed_in: Site, database: Database, owner: UUID, version_id: UUID
) -> None:
    """Its return is after inference, its failed ticks are counted, and a masked one is labelled."""
    run_id = await ask(database, owner, version_id, mask=True)
    await finish(database, run_id, net_return=0.12, inference={"failed_ticks": 10})

    said = words_of(await (await signed_in.client.get("/")).text())

    assert "+12.00% +6.10%" in said
    assert "10 ticks failed" in said
    assert "Masked" in said
    assert "before inference" not in said


async def test_a_return_whose_inference_is_not_known_says_so(
    signed_in: Site, database: Database, owner: UUID, version_id: UUID
) -> None:
    """What the model cost would come off it; a run that is not masked has no label."""
    await finish(database, await ask(database, owner, version_id), net_return=None)

    said = words_of(await (await signed_in.client.get("/")).text())

    assert "+13.59% before inference +6.10%" in said
    assert "Masked" not in said
    assert "failed" not in said


async def test_real_data_is_not_labelled_synthetic(
    signed_in: Site, database: Database, owner: UUID, version_id: UUID
) -> None:
    """The label means something."""
    await finish(database, await ask(database, owner, version_id), synthetic=False)

    assert "Synthetic" not in await (await signed_in.client.get("/")).text()


@pytest.mark.parametrize(
    ("status", "words", "advice"),
    [
        ("running", "Running 62%", "The report comes when the run is done"),
        ("failed", "Failed", "agentic sim resume"),
        ("interrupted", "Interrupted", "agentic sim resume"),
    ],
)
async def test_a_run_that_is_not_done_says_how_it_stands(
    signed_in: Site, database: Database, owner: UUID, version_id: UUID, status: str, words: str, advice: str
) -> None:
    """In the list and on its own page, with the reason as it is, whatever characters it has."""
    run_id = await ask(database, owner, version_id)
    await stop(database, run_id, status, None if status == "running" else "<b>gap</b> & more")

    listed = await (await signed_in.client.get("/")).text()
    alone = await (await signed_in.client.get(f"/runs/{run_id}")).text()

    for page in (listed, alone):
        assert words in words_of(page)
        assert ("&lt;b&gt;gap&lt;/b&gt; &amp; more" in page) is (status != "running")
    assert advice in alone


async def test_a_waiting_run_is_listed(
    signed_in: Site, database: Database, owner: UUID, version_id: UUID
) -> None:
    """Before anybody took it up."""
    run_id = await ask(database, owner, version_id)

    assert "Queued" in await (await signed_in.client.get("/")).text()
    assert "The report comes" in await (await signed_in.client.get(f"/runs/{run_id}")).text()


async def test_a_finished_runs_page_is_its_report(signed_in: Site, database: Database, owner: UUID) -> None:
    """Drawn from what is kept, under a policy that lets in its own style and script alone.

    When the data it was made of is gone, the page says so, and the figures stay.
    """
    clock = ManualClock(NOW)
    made_up = MadeUpRequest("BTC", HOUR_MS, parse_ts("2024-01-01"), parse_ts("2024-01-08"), 1)
    await data.make_up_data(database, clock, made_up, lambda _: None)
    await skills.save(database, owner, STARTED)
    version = await skills.find(database, owner, "btc-trend")
    (run_id,) = await runs.ask(database, owner, version, RunRequest(), LOOSEST, NO_MODELS)
    await runs.carry_out(database, run_id, NO_MODELS)

    answer = await signed_in.client.get(f"/runs/{run_id}")
    await data.make_up_data(database, clock, msgspec.structs.replace(made_up, seed=2), lambda _: None)
    later = await signed_in.client.get(f"/runs/{run_id}")
    policy = answer.headers["Content-Security-Policy"]

    assert answer.status == 200
    assert "btc-trend v1 on BTC" in await answer.text()
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert policy.endswith("; frame-ancestors 'none'")
    assert "unsafe" not in policy
    assert later.status == 409
    assert "The report can't be drawn any more" in words_of(await later.text())
    assert "its figures stay as they were Return " in words_of(await later.text())


async def test_the_list_is_paged(signed_in: Site, database: Database, owner: UUID, version_id: UUID) -> None:
    """Newest first; each page tells where the next one starts, the last that there is none."""
    ids = [str(await ask(database, owner, version_id)) for _ in range(5)][::-1]

    seen, before, pages = [], None, 0
    while before is not None or not pages:
        query = {"limit": "2"} | ({"before": before} if before else {})
        page = await (await signed_in.client.get("/api/v1/runs", params=query)).json()
        seen += [run["id"] for run in page["runs"]]
        before, pages = page["before"], pages + 1

    assert (seen, pages) == (ids, 3)
    older = await (await signed_in.client.get("/", params={"before": ids[-2]})).text()
    assert ids[-1] in older
    assert ids[0] not in older
    assert 'href="/">Newest' in older


async def test_a_program_gets_times_as_rfc_3339(
    signed_in: Site, database: Database, owner: UUID, version_id: UUID
) -> None:
    """And fractions as numbers, the undefined as null."""
    run_id = await ask(database, owner, version_id)
    await finish(database, run_id)

    run = await (await signed_in.client.get(f"/api/v1/runs/{run_id}")).json()

    assert (run["from_ts"], run["to_ts"]) == ("2024-01-01T00:00:00Z", "2024-10-01T00:00:00Z")
    assert (run["status"], run["total_return"], run["sharpe"]) == ("done", 0.1359, None)
    assert run["created_ts"].endswith("Z")


async def test_a_query_that_can_not_be_is_refused(signed_in: Site) -> None:
    """In one line, for programs and people."""
    limits = [f"limit={text}" for text in ("0", "201", "-1", "1e3", "", "9999999", "١")]
    for query in [*limits, "before=x", "before="]:
        program = await signed_in.client.get(f"/api/v1/runs?{query}")
        person = await signed_in.client.get(f"/?{query}")

        assert (program.status, program.content_type) == (400, "application/problem+json"), query
        assert (person.status, person.content_type) == (400, "text/html"), query


async def test_nobody_sees_anothers_run(signed_in: Site, database: Database, other_user: UUID) -> None:
    """To everybody else it does not exist."""
    saved = await skills.save(database, other_user, STARTED)
    run_id = await ask(database, other_user, saved.id)

    assert "No run yet" in await (await signed_in.client.get("/")).text()
    assert (await signed_in.client.get(f"/runs/{run_id}")).status == 404
    assert (await signed_in.client.get(f"/api/v1/runs/{run_id}")).status == 404


async def test_there_is_nothing_at_other_addresses(signed_in: Site) -> None:
    """A page says so."""
    for path in (f"/runs/{OLD_ID}", "/runs/1", "/runs/../etc", "/nowhere", "/static/x.css"):
        answer = await signed_in.client.get(path)

        assert (answer.status, answer.content_type) == (404, "text/html"), path


async def test_an_address_says_what_it_takes(signed_in: Site) -> None:
    """A list is not posted to."""
    answer = await signed_in.client.post("/api/v1/runs")

    assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
    assert answer.content_type == "application/problem+json"
