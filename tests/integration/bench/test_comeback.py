"""The bench's comeback: deployments are killed in the middle of their work, and go on in a new process."""

import subprocess
import sys
from pathlib import Path

from bench.environments import ROOT
from bench.measure import clean_environment


def test_a_few_deployments_come_back(tmp_path: Path) -> None:
    """It says how many seconds that took."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.comeback", str(tmp_path / "home"), "3"],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0
