"""`agentic user`: the people of this installation."""

import re
from typing import Annotated

import typer

from cli.boot import House, in_house
from cli.output import AsJson, emit
from control.errors import Invalid
from db.people import ensure_user, find_user

app = typer.Typer(no_args_is_help=True, help="People: each sees their own Skills and runs only.")

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")


@app.callback()
def _group() -> None:
    """Makes this a group though it has one command only."""


@app.command()
def add(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="How the person is named.")],
    as_json: AsJson = False,
) -> None:
    """Add a person; commands act as them with `agentic --user EMAIL`."""

    async def work(home: House) -> dict[str, object]:
        if not _EMAIL.fullmatch(email) or not email.isprintable():
            raise Invalid(f"{email!r} is not an email address; write it as name@host")
        async with home.prepared.admin() as admin:
            is_new = await find_user(admin, email.lower()) is None
            user_id = await ensure_user(admin, email.lower())
        return {"id": user_id, "email": email.lower(), "is_new": is_new}

    emit(
        in_house(work),
        as_json,
        lambda made: f"{made['email']} {'is added' if made['is_new'] else 'was there already'}.",
    )
