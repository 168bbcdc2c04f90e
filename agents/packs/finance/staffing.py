"""Who works in accounts payable, with which tools, under which contracts?"""

from typing import Any

from agents.contracts import ids_exist
from agents.declarations import Contract, Memo, Role
from agents.packs.finance.declaring import ACTION_TYPES
from agents.packs.finance.reading import READS

COORDINATOR, CLERK, CRITIC = "coordinator", "invoice-clerk", "critic"
CLERK_INSTRUCTIONS = (
    "You prepare entries in accounts payable. Read the papers, choose one action and its "
    "parameters, and say why in a few sentences. You cannot write."
)
CRITIC_INSTRUCTIONS = (
    "You comment on a colleague's draft. Say what agrees, what does not, and what you did not see."
)
# Only rollbacks propose to ask money back.
PREPARED = tuple(spec.name for spec in ACTION_TYPES if spec.name != "recall_payment")
_TEXT = {"type": "string", "minLength": 1}
_ACCOUNT: dict[str, Any] = {
    "type": "object",
    "required": ["iban", "since"],
    "properties": {"iban": _TEXT, "since": _TEXT},
    "additionalProperties": False,
}
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
    (
        ids_exist("/params/vendor", "/vendors"),
        ids_exist("/params/invoice", "/invoices"),
        ids_exist("/params/posting", "/postings"),
    ),
)
ROLES = (
    Role(
        COORDINATOR,
        purpose="Hands the errands of a job to the clerk, one after the other.",
        instructions="",
        gives=Contract(_object(outcomes={"type": "object"})),
    ),
    Role(
        CLERK,
        purpose="Reads the papers of an errand and prepares the one action that settles it.",
        instructions=CLERK_INSTRUCTIONS,
        tools=tuple(READS.values()),
        action_types=PREPARED,
        takes=Contract(_object(errand=_TEXT)),
        gives=ACTION,
        memory=(Memo("V-", {"anyOf": [_ACCOUNT, _DECISION]}),),
        writes=("/payments/*", "/invoices/*", "/vendors/*/bank", "/vendors/*/terms", "/postings/*"),
    ),
    Role(
        CRITIC,
        purpose="Comments on the clerk's draft before people see it; it reads and writes nothing.",
        instructions=CRITIC_INSTRUCTIONS,
        takes=ACTION,
        gives=Contract(_object(note=_TEXT)),
        optional=True,
    ),
)
