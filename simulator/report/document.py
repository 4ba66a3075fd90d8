"""What every page that people send to each other is made with: templates that escape, and assets that stand in it.

Such a page loads nothing, needs no script, and says itself that no other may run.
"""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import BytecodeCache, Environment

FOLDER = Path(__file__).parent


@cache
def environment() -> "Environment":
    """The templates. Imported here, because a command that writes no report should not wait for it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        bytecode_cache=_compiled(),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _compiled() -> "BytecodeCache | None":
    """Where compiled templates are kept between two commands, which halves the time a report takes.

    A folder of this user's alone among the temporary files; Jinja refuses one that is somebody else's, and then the
    templates are compiled each time.
    """
    from jinja2 import FileSystemBytecodeCache

    try:
        return FileSystemBytecodeCache()
    except (OSError, RuntimeError):
        return None


@cache
def assets() -> dict[str, Any]:
    """The style and the script that stand in a page, and the policy that lets in these two alone."""
    from markupsafe import Markup

    style = "".join((FOLDER / "assets" / name).read_text("utf-8") for name in ("tokens.css", "report.css"))
    script = (FOLDER / "assets" / "report.js").read_text("utf-8")
    allowed = {"style-src": _hash(style), "script-src": _hash(script)}
    policy = "; ".join(
        [
            "default-src 'none'",
            *(f"{kind} {source}" for kind, source in allowed.items()),
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return {"style": Markup(style), "script": Markup(script), "policy": policy}


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
