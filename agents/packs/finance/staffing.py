"""Who works in accounts payable, with which tools, under which contracts?"""

from typing import Any

from agents.contracts import ids_exist
from agents.declarations import Contract, Memo, Role
from agents.packs.errands import DECISION, TEXT, coordinating, object_of
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
_ACCOUNT: dict[str, Any] = {
    "type": "object",
    "required": ["iban", "since"],
    "properties": {"iban": TEXT, "since": TEXT},
    "additionalProperties": False,
}


ACTION = Contract(
    object_of(action_type={"enum": [*PREPARED]}, params={"type": "object", "minProperties": 1}),
    (
        ids_exist("/params/vendor", "/vendors"),
        ids_exist("/params/invoice", "/invoices"),
        ids_exist("/params/posting", "/postings"),
    ),
)
ROLES = (
    coordinating(COORDINATOR, "clerk"),
    Role(
        CLERK,
        purpose="Reads the papers of an errand and prepares the one action that settles it.",
        instructions=CLERK_INSTRUCTIONS,
        tools=tuple(READS.values()),
        action_types=PREPARED,
        takes=Contract(object_of(errand=TEXT)),
        gives=ACTION,
        memory=(Memo("V-", {"anyOf": [_ACCOUNT, DECISION]}),),
        writes=("/payments/*", "/invoices/*", "/vendors/*/bank", "/vendors/*/terms", "/postings/*"),
    ),
    Role(
        CRITIC,
        purpose="Comments on the clerk's draft before people see it; it reads and writes nothing.",
        instructions=CRITIC_INSTRUCTIONS,
        takes=ACTION,
        gives=Contract(object_of(note=TEXT)),
        optional=True,
    ),
)
