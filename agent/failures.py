"""How asking a model can fail: the kinds there are, what is said of each, and which of them may pass.

From the provider's table of statuses and error types, https://platform.claude.com/docs/en/api/errors.
"""

import math
import re
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from agent.answers import Answer
from domain.inference import Usage

MOST_WORDS = 300  # of a provider, in a message of ours
FATAL = frozenset({"authentication", "permission", "billing", "not_found", "invalid_request", "too_large"})
KIND_BY_STATUS = {
    400: "invalid_request",
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "not_found",
    408: "timeout",
    409: "server",
    413: "too_large",
    429: "rate_limit",
    504: "timeout",
    529: "overloaded",
}
KIND_BY_TYPE = {  # for an error in the middle of an answer, whose status was 200
    "authentication_error": "authentication",
    "billing_error": "billing",
    "invalid_request_error": "invalid_request",
    "not_found_error": "not_found",
    "overloaded_error": "overloaded",
    "permission_error": "permission",
    "rate_limit_error": "rate_limit",
    "request_too_large": "too_large",
    "timeout_error": "timeout",
}
MESSAGES = {
    "authentication": "the key for models was refused; check ANTHROPIC_API_KEY, and that it belongs to the base URL",
    "billing": "the account of the key for models has no credit left or has reached its own limit; raise it there",
    "connection": "the models could not be reached; check the network and the base URL",
    "invalid_request": "the models refused the request",
    "not_found": "the model or the base URL does not exist; check the Skill's model and AGENTIC_MODEL_BASE_URL",
    "overloaded": "the models are overloaded",
    "permission": "the key for models may not use this model; choose another model, or allow it there",
    "rate_limit": "the key for models has asked too often for now",
    "server": "the provider of the models failed",
    "timeout": "no whole answer came in time",
    "too_large": "the request is larger than the models take; let the Skill see fewer bars or less news",
    "truncated": "the answer broke off before its end",
}


class ModelFailure(Exception):
    """A model did not answer. `kind` is a key of MESSAGES, or "garbage"; `message` is one clean line.

    `is_billed`: it may cost something all the same, since the model may have begun; `usage` is then what is known of
    it, the output estimated. `retry_after_s` is what the provider asks for, without a bound.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        retry_after_s: float | None = None,
        is_billed: bool = False,
        usage: Usage | None = None,
        may_pass: bool = True,
    ) -> None:
        self.kind = kind
        self.message = message
        self.retry_after_s = retry_after_s
        self.is_billed = is_billed
        self.usage = usage
        self._may_pass = may_pass
        super().__init__(message)

    @property
    def is_fatal(self) -> bool:
        """Whether every later request would fail alike, until a person does something about it."""
        return self.kind in FATAL

    @property
    def is_transient(self) -> bool:
        """Whether the same request may well be answered when it is made again."""
        return self._may_pass and not self.is_fatal


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds after which a provider wants to be asked again, by its own clock; None when it does not say."""
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        elif headers.get("retry-after", "").strip().endswith("GMT"):
            then, now = (parsedate_to_datetime(headers.get(name, "")) for name in ("retry-after", "date"))
            seconds = (then - now).total_seconds()
        else:
            seconds = float(headers.get("retry-after", "nan"))
    except (TypeError, ValueError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def failed(kind: str, answer: Answer, *, is_billed: bool, where: str = "") -> ModelFailure:
    """The failure of an attempt of which `answer` has come in."""
    usage = answer.usage() if answer.is_begun else None
    return ModelFailure(kind, f"{MESSAGES[kind]}{where}", is_billed=is_billed, usage=usage)


def broken_off(answer: Answer) -> ModelFailure:
    """An answer was begun, and did not come to its end."""
    return failed("truncated", answer, is_billed=True)


def garbage(found: str, answer: Answer) -> ModelFailure:
    """What came was not of the Messages API."""
    usage = answer.usage() if answer.is_begun else None
    message = f"the answer is not of the Messages API: {found}; check the base URL"
    return ModelFailure("garbage", message, is_billed=True, usage=usage)


def clean(words: Any, secrets: Iterable[str]) -> str:
    """What a provider says, on one line, without secrets, anything like a key, or the number of the request."""
    if not isinstance(words, str):
        return ""
    for secret in secrets:
        words = words.replace(secret, "…")
    words = re.sub(r"\b(?:req_\w+|sk-[\w*.-]+)", "…", words)
    words = " ".join("".join(char if char.isprintable() else " " for char in words).split())
    return words if len(words) <= MOST_WORDS else f"{words[: MOST_WORDS - 1]}…"
