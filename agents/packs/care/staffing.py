"""Who works on the ward's orders, with which tools, under which contracts?"""

from datetime import timedelta
from typing import Any

from agents.contracts import ids_exist
from agents.declarations import Contract, Memo, Role
from agents.packs.care.declaring import ACTION_TYPES
from agents.packs.care.reading import READS
from agents.packs.errands import DECISION, TEXT, coordinating, object_of

COORDINATOR, PHARMACIST, CRITIC = "coordinator", "pharmacist", "critic"
PHARMACIST_INSTRUCTIONS = (
    "You prepare changes of medication orders. Read notes, chart, results and formulary, choose "
    "one action and its parameters, and say why in a few sentences. You cannot write."
)
CRITIC_INSTRUCTIONS = (
    "You comment on a colleague's draft. Say what agrees, what does not, and what is still open."
)
PREPARED = tuple(spec.name for spec in ACTION_TYPES)
_CLEARANCE: dict[str, Any] = {"type": "number", "minimum": 0}


ACTION = Contract(
    object_of(action_type={"enum": [*PREPARED]}, params={"type": "object", "minProperties": 1}),
    (ids_exist("/params/patient", "/patients"), ids_exist("/params/drug", "/formulary")),
)
ROLES = (
    coordinating(COORDINATOR, "pharmacist"),
    Role(
        PHARMACIST,
        purpose="Reads notes, chart and results and prepares the one order that answers them.",
        instructions=PHARMACIST_INSTRUCTIONS,
        tools=tuple(READS.values()),
        action_types=PREPARED,
        takes=Contract(object_of(errand=TEXT)),
        gives=ACTION,
        memory=(Memo("P-", {"anyOf": [_CLEARANCE, DECISION]}, timedelta(days=30)),),
        writes=("/patients/*/orders/*",),
    ),
    Role(
        CRITIC,
        purpose="Comments on the draft before people see it; it reads and writes nothing.",
        instructions=CRITIC_INSTRUCTIONS,
        takes=ACTION,
        gives=Contract(object_of(note=TEXT)),
        optional=True,
    ),
)
