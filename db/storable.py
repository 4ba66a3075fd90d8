"""What Postgres takes of a text or of JSON that came from anywhere: all but NUL, halves of pairs, and what is too long.

For what is written down about a trouble, which must not be lost over how it is worded.
"""

from typing import Any

import orjson

from db.connection import to_json

MARK = "\N{REPLACEMENT CHARACTER}"


def storable_text(said: str, most: int) -> str:
    """Give a text with its first `most` characters, and a mark in the place of each that can't be stored."""
    return said[:most].encode("utf-8", "replace").decode().replace("\0", MARK)


def storable_json(value: Any, most_bytes: int) -> bytes:
    """Give a value as JSON. What is no JSON is given as its `repr`, what is too long as its beginning."""
    try:
        body = to_json(value)
    except TypeError:  # not JSON, or not text
        body = orjson.dumps({"unreadable": storable_text(repr(value), most_bytes // 2)})
    if len(body) > most_bytes:
        body = orjson.dumps({"cut": body.decode()[: most_bytes // 2]})
    return body.replace(rb"\u0000", rb"\ufffd")
