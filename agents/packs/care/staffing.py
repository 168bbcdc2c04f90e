"""Who works on the ward's orders, with which tools, under which contracts?"""

from datetime import timedelta
from typing import Any

from agents.contracts import ids_exist
from agents.declarations import Contract, Memo, Role
from agents.packs.care.declaring import ACTION_TYPES
from agents.packs.care.reading import READS

COORDINATOR, PHARMACIST, CRITIC = "coordinator", "pharmacist", "critic"
PHARMACIST_INSTRUCTIONS = (
    "You prepare changes of medication orders. Read notes, chart, results and formulary, choose "
    "one action and its parameters, and say why in a few sentences. You cannot write."
)
CRITIC_INSTRUCTIONS = (
    "You comment on a colleague's draft. Say what agrees, what does not, and what is still open."
)
PREPARED = tuple(spec.name for spec in ACTION_TYPES)
_TEXT = {"type": "string", "minLength": 1}
_CLEARANCE: dict[str, Any] = {"type": "number", "minimum": 0}
_DECISION: dict[str, Any] = {
    "type": "object",
    "required": ["params", "ended", "said"],
    "properties": {
        "params": {"type": "object"},
        "ended": {"enum": ["approved", "rejected"]},
        "said": {"type": "string"},
    },
    "additionalProperties": False,
}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": [*properties], "properties": properties}


ACTION = Contract(
    _object(action_type={"enum": [*PREPARED]}, params={"type": "object", "minProperties": 1}),
    (ids_exist("/params/patient", "/patients"), ids_exist("/params/drug", "/formulary")),
)
ROLES = (
    Role(
        COORDINATOR,
        purpose="Hands the errands of a job to the pharmacist, one after the other.",
        instructions="",
        gives=Contract(_object(outcomes={"type": "object"})),
    ),
    Role(
        PHARMACIST,
        purpose="Reads notes, chart and results and prepares the one order that answers them.",
        instructions=PHARMACIST_INSTRUCTIONS,
        tools=tuple(READS.values()),
        action_types=PREPARED,
        takes=Contract(_object(errand=_TEXT)),
        gives=ACTION,
        memory=(Memo("P-", {"anyOf": [_CLEARANCE, _DECISION]}, timedelta(days=30)),),
        writes=("/patients/*/orders/*",),
    ),
    Role(
        CRITIC,
        purpose="Comments on the draft before people see it; it reads and writes nothing.",
        instructions=CRITIC_INSTRUCTIONS,
        takes=ACTION,
        gives=Contract(_object(note=_TEXT)),
        optional=True,
    ),
)
