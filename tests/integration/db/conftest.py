"""A home of a test's own, for tests that start and kill its server."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.db.client import end_server


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a short path; a server that a failed test left there is ended."""
    folder = Path(tempfile.mkdtemp(prefix="ag-", dir="/tmp"))
    yield folder
    end_server(folder)
    shutil.rmtree(folder, ignore_errors=True)
