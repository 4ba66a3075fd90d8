"""How a deployment's status follows its account: as a table, phase of the account beside status. Pure.

The engine commits its latch first; the status is what people are shown of it, and catches up, also after a crash in
between. One that a person has paused stays so, whatever its account does: a halt that lifts must not set it going.
"""

from collections.abc import Mapping
from types import MappingProxyType

from domain.deployments import Status, Step
from domain.journal import HaltPhase

_S, _P, _E = Status, HaltPhase, Step

STEPS: Mapping[tuple[Status, HaltPhase], tuple[Step, ...]] = MappingProxyType(
    {
        (_S.RUNNING, _P.FLATTENING): (_E.FLATTEN,),
        (_S.RUNNING, _P.HALTED): (_E.FLATTEN, _E.HALTED),
        (_S.FLATTENING, _P.HALTED): (_E.HALTED,),
        (_S.FLATTENING, _P.ACTIVE): (_E.FLAT,),
        (_S.HALTED, _P.ACTIVE): (_E.LIFTED,),
        (_S.HALTED, _P.FLATTENING): (_E.LIFTED, _E.FLATTEN),
    }
)
"""(status, phase of the account) → the steps by which the status catches up; anything else agrees already."""


def steps_to_follow(status: Status, phase: HaltPhase) -> tuple[Step, ...]:
    """The steps by which a deployment's status comes to agree with its account."""
    return STEPS.get((status, phase), ())
