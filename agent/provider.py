"""What a process has for language models: facts, a key's door and its gate, budgets, MCP servers."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from agent.allowance import Allowance
from agent.asking import Asker
from agent.gate import Gate
from agent.mcp_servers import McpServers
from agent.models import Door
from config.models import ModelFacts, ModelTable
from domain.inference import Budget, CallLedger
from domain.time import Clock
from skills.skill import Skill

_MORE = "run it again with a larger max_inference_usd_per_run; what is recorded is not asked again"


class Provider(msgspec.Struct, frozen=True):
    """One for a process. `route` names where requests go; `missing` says what to set where there is no door."""

    table: ModelTable
    allowance: Allowance
    clock: Clock
    gate: Gate
    open_door: Callable[[], Door] | None = None
    route: str = ""
    missing: str = "there is no key for language models"
    timeout_s: float = 60.0
    servers: McpServers | None = None

    def facts(self, skill: Skill) -> ModelFacts | None:
        """What is known of a Skill's model; None for one that the table lacks."""
        return self.table.find(skill.model.partition(":")[2])

    def asker(self, skill: Skill, ledger: CallLedger, run: Budget | None, **how: Any) -> Asker:
        """What asks a Skill's model for one run or deployment; `how` as `Asker` takes it."""
        facts = self.facts(skill)
        return Asker(
            ledger,
            self.gate,
            msgspec.structs.replace(self.allowance, run=run),
            (lambda ts: None) if facts is None else facts.price_at,
            self.clock,
            open_door=self.open_door,
            missing=self.missing,
            timeout_s=self.timeout_s,
            **how,
        )


def run_budget(run_id: Any, limit_usd: Decimal) -> Budget:
    """The budget of one simulation."""
    return Budget(f"run:{run_id}", limit_usd, "the run", _MORE)
