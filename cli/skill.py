"""`agentic skill`: write, check, keep and compare Skills."""

from pathlib import Path
from typing import Annotated

import typer

from cli import skill_views as views
from cli.boot import House, in_house
from cli.files import read_skill
from cli.output import AsJson, emit, plain_errors, say
from cli.skill_starter import LANGUAGE_MODEL_STARTER, STARTER
from config.models import load_models
from config.settings import load_settings
from control import skills as control
from control.errors import AlreadyThere
from control.skill_check import examine
from domain.time import SystemClock
from skills.check import load
from skills.diff import diff
from skills.schema import platform_caps
from skills.skill import Skill

app = typer.Typer(no_args_is_help=True, help="Skills: what an agent is told, may use, and may never exceed.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="A SKILL.md, under any name.", show_default=False)]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A saved Skill.")]
Reference = Annotated[str, typer.Argument(metavar="NAME[@N]", help="A saved Skill; @N for its version N.")]
Side = Annotated[str, typer.Argument(help="NAME, NAME@N or a file.")]


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case words with hyphens.")],
    language_model: Annotated[
        bool, typer.Option("--language-model", help="For a language model, that of AGENTIC_MODEL.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write NAME.md, a Skill to start from. It names a baseline, which needs no key."""
    with plain_errors():
        starter = LANGUAGE_MODEL_STARTER if language_model else STARTER
        text = starter.format(name=name, model=load_settings().model)
        path = Path(f"{name}.md")
        load(text, where=str(path))
        _write_new(path, text)
        emit(
            {"name": name, "file": str(path)},
            as_json,
            lambda _: f"Wrote {path}. Change it as you like, then: agentic skill check {path}",
        )


@app.command()
def check(file: File, as_json: AsJson = False) -> None:
    """Say what is wrong or doubtful, the caps that would hold, and when it ticks."""
    with plain_errors():
        settings = load_settings()
        platform = platform_caps(settings.platform_caps, where="AGENTIC_PLATFORM_CAPS")
        models = load_models(settings.models_file)
        data = read_skill(file)
        now_ms = SystemClock().now_ms()
        report = examine(data, platform=platform, now_ms=now_ms, where=str(file), models=models)
        if not report.is_usable and not as_json:
            load(data, where=str(file), models=models)  # raises what the report says, a line each
        emit(report, as_json, lambda _: views.report(report, file))
    if not report.is_usable:
        raise typer.Exit(1)


@app.command()
def save(file: File, as_json: AsJson = False) -> None:
    """Keep FILE as a new version. The same meaning again makes no new one."""
    with plain_errors():
        data = read_skill(file)
        models = load_models(load_settings().models_file)
        load(data, where=str(file), models=models)  # what is wrong is said before a database is opened
    saved = in_house(
        lambda home: control.save(home.database, home.user_id, data, where=str(file), models=models)
    )
    for warning in saved.warnings:
        say(f"warning: {warning}")
    emit(saved, as_json, views.saved)


@app.command("list")
def list_skills(
    archived: Annotated[bool, typer.Option("--archived", help="Those in the archive, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the saved Skills."""
    rows = in_house(lambda home: control.list_skills(home.database, home.user_id, archived=archived))
    emit(rows, as_json, views.listing)


@app.command()
def show(reference: Reference, as_json: AsJson = False) -> None:
    """Show a saved Skill: its versions so far, and the file of this one."""
    row, every = in_house(lambda home: control.history(home.database, home.user_id, reference))
    emit({"shown": row, "versions": every}, as_json, lambda _: views.version(row, every))


@app.command("diff")
def compare(before: Side, after: Side, as_json: AsJson = False) -> None:
    """Show what changed from BEFORE to AFTER: each key, and the prompt line by line."""

    async def both(home: House) -> tuple[Skill, Skill]:
        return await _skill_at(home, before), await _skill_at(home, after)

    emit(diff(*in_house(both)), as_json, lambda changes: views.changes(changes, before, after))


@app.command()
def export(
    reference: Reference,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Write a new file instead.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the file of a saved Skill, in its one canonical form."""
    row = in_house(lambda home: control.find(home.database, home.user_id, reference))
    with plain_errors():
        if to is not None:
            _write_new(to, row.body)
        emit(row, as_json, lambda _: row.body.removesuffix("\n") if to is None else f"Wrote {to}.")


@app.command()
def archive(name: Name, as_json: AsJson = False) -> None:
    """Put a Skill away. Its versions and runs stay; saving it again brings it back."""
    in_house(lambda home: control.archive(home.database, home.user_id, name))
    emit({"name": name, "archived": True}, as_json, lambda _: f"{name} is in the archive.")


async def _skill_at(home: House, place: str) -> Skill:
    """Read a Skill from a file, where there is one of this name, else from the saved ones."""
    if Path(place).is_file():
        return load(read_skill(Path(place)), where=place)[0]
    return control.skill_of(await control.find(home.database, home.user_id, place))


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise AlreadyThere(f"{path} exists already and is left as it is; choose another name") from None
