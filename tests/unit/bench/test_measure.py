"""A process seen from outside, and the environment it gets."""

import subprocess
import sys

import pytest

from bench.environments import NotAvailable, index_of
from bench.jobs import last_json
from bench.measure import Process, clean_environment, measure, middle
from tests.architecture.repository import ROOT


def python(code: str) -> list[str]:
    """The command that runs a line of Python."""
    return [sys.executable, "-c", code]


def measured_by_a_small_process(code: str) -> Process:
    """What a line of Python takes, as the bench sees it: a test itself may hold more than its child ever will."""
    whole = subprocess.run(
        python(
            f"from bench.measure import *; print(measure([sys.executable, '-c', {code!r}], clean_environment()))"
        ),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found: Process = eval(whole.stdout, {"Process": Process})
    return found


def test_a_process_is_measured_whole() -> None:
    """Its memory at its highest, its processor time within its wall time, what it wrote and how it ended."""
    code = "import sys; block = bytearray(300_000_000); del block; print('out'); sys.exit('why')"

    process = measured_by_a_small_process(code)

    assert 300 < process.peak_mb < 400
    assert 0 < process.cpu_s <= process.wall_s + 0.1
    assert (process.output, process.exit_code, process.reason()) == ("out\n", 1, "exit 1: why")


def test_a_process_that_overruns_is_ended() -> None:
    """A peer that hangs does not hold up the rest."""
    process = measure(python("import signal; signal.pause()"), clean_environment(), limit_s=0.2)

    assert process.exit_code == -9
    assert process.reason() == "exit -9: it said nothing"


def test_a_child_gets_none_of_our_python_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a setting that keeps byte code from being kept, nor a database or home that is somebody's."""
    for name in ("PYTHONDONTWRITEBYTECODE", "DATABASE_URL", "AGENTIC_HOME"):
        monkeypatch.setenv(name, "1")

    given = clean_environment(AGENTIC_HOME="ours")

    assert {"PYTHONDONTWRITEBYTECODE", "DATABASE_URL"} & given.keys() == set()
    assert given["AGENTIC_HOME"] == "ours"
    assert "PATH" in given


def test_the_middle_is_the_median_with_its_ends() -> None:
    """An outlier shows as an end and moves nothing else."""
    assert middle([3.0, 1.0, 100.0]) == (3.0, 1.0, 100.0)


@pytest.mark.parametrize("output", ['noise\n{"a": 1}\n', '{\n  "a": 1\n}\n'])
def test_the_last_document_is_read(output: str) -> None:
    """A peer may chatter before its last line, and a document may take many lines."""
    assert last_json(output) == {"a": 1}


def test_an_answer_that_is_none_is_said() -> None:
    """A script that printed no result did not do the job."""
    with pytest.raises(NotAvailable, match="did not say"):
        last_json("all done\n")


def test_pips_index_is_found() -> None:
    """uv does not read pip's settings and is told; the last of several holds, and an extra one is no index."""
    config = "global.extra-index-url='file:///extra'\nglobal.index-url='http://one/simple'\n:env:.index-url='http://two/simple'\n"

    assert index_of(config) == "http://two/simple"
    assert index_of("global.extra-index-url='file:///extra'\n") is None
