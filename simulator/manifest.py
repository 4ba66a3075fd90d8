"""The run manifest: every default, every digest and every stand-in that a result came from."""

import hashlib
from importlib.metadata import version
from typing import Any

import msgspec

from domain.caps import Caps
from domain.instruments import MIN_NOTIONAL_USD, Instrument
from simulator.bootstrap import RESAMPLES
from simulator.data import MarketData
from simulator.report.manifest import lasting
from simulator.spec import RunSpec, to_config
from skills.schema import front_matter
from skills.skill import Skill

_ELSEWHERE = frozenset({"platform", "mode", "origin", "of_run"})
"""Settings that are no part of a result: caps stand elsewhere, and whence a model's outputs came is no matter."""


def build_manifest(
    skill: Skill,
    number: int,
    digest: str,
    spec: RunSpec,
    caps: Caps,
    market: MarketData,
    thinking: dict[str, Any],
) -> dict[str, Any]:
    """Say what a run is made with, as JSON has it. `caps` are those that held: the Skill's and the platform's.

    `thinking` says with what a model was asked; it is empty for a baseline.
    """
    return _plain(
        {
            "code_version": version("agentic-trading"),
            "skill": {"name": skill.name, "number": number, "digest": digest, **_head(skill)},
            "run": {name: value for name, value in to_config(spec).items() if name not in _ELSEWHERE},
            "execution": market.description["execution_interval"],
            "costs": spec.cost_model,
            "caps": caps,
            **({"thinking": thinking} if thinking else {}),
            "rules": {
                "min_notional_usd": MIN_NOTIONAL_USD,
                "path": "open, adverse extreme, other extreme, close",
                "bootstrap_resamples": RESAMPLES,
            },
            "instruments": {symbol: _instrument(one) for symbol, one in market.instruments.items()},
            "data": market.description["series"],
            "data_digest": market.digest,
            "stood_in": market.stood_in,
            **{part: market.description[part] for part in ("mask",) if part in market.description},
        }
    )


def tools_of(manifest: dict[str, Any]) -> dict[str, str]:
    """The digests of the MCP tools that a run had, by name."""
    found: dict[str, str] = manifest.get("thinking", {}).get("mcp_tools", {})
    return found


def manifest_digest(manifest: dict[str, Any]) -> str:
    """The sha256 of a manifest without what differs between two runs of the same thing."""
    return hashlib.sha256(msgspec.json.encode(lasting(manifest), order="deterministic")).hexdigest()


def _head(skill: Skill) -> dict[str, Any]:
    front = front_matter(skill)
    return {key: front[key] for key in ("model", "model_params", "schedule", "market", "tools")}


def _instrument(instrument: Instrument) -> dict[str, Any]:
    return {
        "sz_decimals": instrument.sz_decimals,
        "max_leverage": instrument.max_leverage,
        "tiers": [f"{tier.max_leverage}x from {tier.lower_bound_usd:f} USD" for tier in instrument.tiers],
        "assumed": instrument.assumed,
        "source": instrument.source,
    }


def _plain(value: Any) -> dict[str, Any]:
    """As it will be read back from where it is kept: money as text, keys as text."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return plain
