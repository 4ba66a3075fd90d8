"""Python's collector in a program that runs for weeks."""

import subprocess
import sys

SETTLED = """
import gc
from supervisor.collector import settle
kept = [[n] for n in range(50_000)]
settle()
walks = []
gc.callbacks.append(lambda phase, info: walks.append(info["generation"]))
for n in range(50):
    [[] for _ in range(1_000)]
print(gc.get_freeze_count() >= 50_000, len(walks))
"""


def test_what_is_there_since_the_start_is_never_walked_again() -> None:
    """What a thousand deployments hold stops no tick, and what a tick leaves behind calls for no walk."""
    said = subprocess.run([sys.executable, "-c", SETTLED], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "0"]
