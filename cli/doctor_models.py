"""The doctor's checks of what thinking needs: the key, the way to the models, facts about them, MCP servers."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import msgspec

from agent.models import BASE_URL, AnthropicDoor
from cli.checks import Check, State
from config.mcp import McpServerError, read_servers
from config.models import DEFAULT_MODEL, ModelFacts, ModelTable, ModelTableError, load_models
from config.settings import Settings
from domain.time import to_datetime
from skills.check import PROVIDER

RETIREMENT_NOTICE = timedelta(days=60)
"""How far ahead a retirement is told. The vendor gives notice of as much."""

SCARCE = Decimal("0.8")
"""The share of a budget from which on it is worth a warning."""

_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


def check_thinking(settings: Settings, saved: Mapping[str, str], now_ms: int) -> Iterable[Check]:
    """Look at everything that asking a model needs, without asking one. `saved` are Skills' models by their name."""
    yield check_key(settings)
    yield check_base_url(settings.model_base_url)
    try:
        table = load_models(settings.models_file)
    except ModelTableError as error:
        yield Check("models", State.BAD, str(error), "mend the file, or unset AGENTIC_MODELS_FILE")
    else:
        yield from check_models(table, {"AGENTIC_MODEL": settings.model, **saved}, now_ms)
    yield check_mcp_servers(settings)


def check_key(settings: Settings) -> Check:
    """One variable is all that asking a model needs."""
    if settings.anthropic_api_key is not None:
        return Check("model key", State.OK, "there is one; `agentic doctor --probe` tries it, without cost")
    found = "there is none: baselines and replays work, language models are not asked"
    return Check("model key", State.WARN, found, "set ANTHROPIC_API_KEY; see docs/models.md")


def check_base_url(base_url: str | None) -> Check:
    """A key must not cross a network in clear."""
    parts = urlsplit(base_url or BASE_URL)
    found = f"{base_url or BASE_URL}{'' if base_url else ', the default'}"
    if parts.scheme == "http" and parts.hostname not in _THIS_MACHINE:
        todo = "use https in AGENTIC_MODEL_BASE_URL, unless this network is trusted"
        return Check("model API", State.WARN, f"{found} is asked in clear, key and all", todo)
    return Check("model API", State.OK, found)


def check_spending(settings: Settings, own_usd: Decimal, by_all_usd: Decimal) -> Check:
    """What models may still cost today: with little left, runs will stop before they are done."""
    budgets = (
        ("you", own_usd, settings.inference_usd_per_user_day, "AGENTIC_INFERENCE_USD_PER_USER_DAY"),
        ("all", by_all_usd, settings.inference_usd_per_day, "AGENTIC_INFERENCE_USD_PER_DAY"),
    )
    found = ", ".join(f"{who} {spent:,.2f} of {limit:,.2f} USD" for who, spent, limit, _ in budgets)
    scarce = [setting for _, spent, limit, setting in budgets if spent >= limit * SCARCE]
    if not scarce:
        return Check("spent today", State.OK, found)
    return Check("spent today", State.WARN, found, f"wait for the next UTC day, or raise {scarce[0]}")


def check_models(table: ModelTable, used: Mapping[str, str], now_ms: int) -> list[Check]:
    """The models in use must be in service, and their facts known. `used` says by whom: Skill or setting → model."""
    users: dict[str, list[str]] = {}
    for user, model in used.items():
        provider, _, name = model.partition(":")
        if provider == PROVIDER:
            users.setdefault(name, []).append(user)
    troubles = [
        msgspec.structs.replace(trouble, found=f"{name} (of {_listed(users[name])}) {trouble.found}")
        for name in users
        if (trouble := _trouble(table, name, now_ms))
    ]
    return troubles or [Check("models", State.OK, f"known and in service: {', '.join(users)}")]


def check_mcp_servers(settings: Settings) -> Check:
    """What is said of the MCP servers must be readable; none of them is started."""
    try:
        servers = read_servers(settings.mcp_servers)
    except McpServerError as error:
        return Check("MCP servers", State.BAD, str(error), "mend AGENTIC_MCP_SERVERS")
    return Check("MCP servers", State.OK, ", ".join(servers) or "none are set up")


def check_probe(settings: Settings) -> Check:
    """Try the key, the way and the default model with a request that costs nothing."""
    key, name = settings.anthropic_api_key, settings.model.partition(":")[2]
    if key is None:
        return Check("probe", State.BAD, "there is no key to try", "set ANTHROPIC_API_KEY")
    door = AnthropicDoor(
        key.get_secret_value(),
        base_url=settings.model_base_url,
        auth=settings.model_auth,
        api_version=settings.model_api_version,
    )
    if problem := asyncio.run(_probe(door, name)):
        todo = "see ANTHROPIC_API_KEY, AGENTIC_MODEL_BASE_URL, AGENTIC_MODEL_AUTH and AGENTIC_MODEL"
        return Check("probe", State.BAD, f"{door.route}: {problem}", todo)
    return Check("probe", State.OK, f"{door.route} has no objection to the key and {name}")


async def _probe(door: AnthropicDoor, name: str) -> str | None:
    try:
        return await door.probe(name)
    finally:
        await door.close()


def _trouble(table: ModelTable, name: str, now_ms: int) -> Check | None:
    """What there is to say of one model, as what follows its name; None when all is well."""
    facts = table.find(name)
    if facts is None:
        meant = table.suggest(name)
        hint = f"did you mean {PROVIDER}:{meant}? If not, " if meant else ""
        todo = f"{hint}describe it in a file and set AGENTIC_MODELS_FILE; see docs/models.md"
        found = "is not in the model table: its price and cutoff are unknown"
        return Check("models", State.WARN, found, todo)
    if retiring := _retirement(facts, now_ms):
        return retiring
    if facts.price_at(now_ms) is None:
        todo = "give its prices in a file and set AGENTIC_MODELS_FILE; see docs/models.md"
        return Check("models", State.WARN, "has no known price today", todo)
    return None


def _retirement(facts: ModelFacts, now_ms: int) -> Check | None:
    today = to_datetime(now_ms).date()
    if facts.retires is None or facts.retires > today + RETIREMENT_NOTICE:
        return None
    state, is_over = State.WARN, facts.retires <= today
    if facts.retires_surely:
        state = State.BAD if is_over else State.WARN
        found = f"{'was retired' if is_over else 'retires'} on {facts.retires}"
    else:
        found = f"may be retired {'any day, since' if is_over else 'from'} {facts.retires}"
    near_default = facts.id == DEFAULT_MODEL.partition(":")[2]
    todo = "use another" + ("" if near_default else f", such as {DEFAULT_MODEL}")
    return Check("models", state, found, todo)


def _listed(users: list[str], shown: int = 3) -> str:
    rest = f" and {len(users) - shown} more" if len(users) > shown else ""
    return ", ".join(users[:shown]) + rest
