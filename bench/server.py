"""Hold a home's database server while others use it: `python -m bench.server HOME`, until its input ends.

So that a measured command finds the server running and is not the last to leave it. Prints the address of the
product's database, as its superuser.
"""

import sys
from pathlib import Path

from db.boot import EMBEDDED_DATABASE
from db.embedded import attach

with attach(Path(sys.argv[1])) as server:
    print(server.dsn(EMBEDDED_DATABASE), flush=True)
    sys.stdin.read()
