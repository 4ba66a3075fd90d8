"""The identity of a request to a model: everything that decides an answer, in one canonical form.

What the model would see, the version of the API that it is written for, and the number of the sample; no clock, no id
of a process, no order of a dictionary. Two requests with one key are the same request.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from agent.models import api_version

KEY_FORM = 1
"""Goes up when the same request has to be asked anew, because something else about asking changed."""

Body = Mapping[str, Any]

canonical = msgspec.json.Encoder(order="deterministic").encode
"""JSON with its keys sorted, without blanks, in UTF-8."""


def asked_of(body: Body, sample: int) -> dict[str, Any]:
    """A request with all else that decides its answer. Its key is the sha256 of the canonical form of this."""
    return {**body, "api_version": api_version(body), "form": KEY_FORM, "sample": sample}


def parts_of(asked: Body) -> dict[str, str]:
    """Take a request apart, so that two can be compared without keeping either."""
    parts = {name: digest(value) for name, value in asked.items() if name not in ("messages", "model")}
    parts["model"] = str(asked["model"])
    return parts | {f"message {n}": digest(one) for n, one in enumerate(asked["messages"])}


def digest(value: Any) -> str:
    """The sha256 of a value's canonical form."""
    return hashlib.sha256(canonical(value)).hexdigest()
