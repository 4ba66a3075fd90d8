"""The journal of a simulation: entries are kept until they are written in bulk, and chained into one digest."""

import hashlib

import msgspec

from domain.journal import Entry

GENESIS = bytes(32)

_encode = msgspec.json.Encoder(order="deterministic").encode


class BatchedJournal:
    """Keeps entries in memory. `link` is the sha256 over all entries so far: each is hashed with the link before it.

    `commit` promises nothing here: a simulation that dies goes on from its last checkpoint, which was written in one
    transaction with the entries up to it.
    """

    def __init__(self, link: bytes = GENESIS, count: int = 0) -> None:
        self.link = link
        self.count = count
        self._waiting: list[tuple[Entry, bytes]] = []

    def append(self, entry: Entry) -> None:
        body = _encode(entry)
        self.link = hashlib.sha256(self.link + body).digest()
        self.count += 1
        self._waiting.append((entry, body))

    async def commit(self) -> None:
        """Nothing to do: see the class."""

    def take(self) -> list[tuple[Entry, bytes]]:
        """The entries since the last call, each with its canonical JSON."""
        waiting, self._waiting = self._waiting, []
        return waiting
