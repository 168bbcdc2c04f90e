"""In a hand: lead runs of an agent that learns; on the other side, the workflow's name and input.

Each run recalls what is known of its vendor, reads the record, asks a model with a prompt that is
made of both, hands what came of it to another agent, and keeps a typed entry: every third one takes
the place of an older one, the others are about this job alone.
"""

import time
from datetime import timedelta
from typing import Any

from agents.declarations import Contract, Memo, Role
from agents.operations.running import work
from agents.workflows import Context, Message, Reply, Turn, Workflow, register_workflow
from console.canonical import Json

WORKFLOW = "learning"
VENDORS = 23
CLERK, AUDITOR = "clerk", "auditor"
_TEXT = {"type": "object", "properties": {"iban": {"type": "string"}, "said": {"type": "string"}}}
_KEPT_FOR = timedelta(days=30)


class Clerkly:
    """A model that answers at once, in as many words each time."""

    name = "scripted"

    def complete(self, message: Message) -> Reply:
        """Return one sentence."""
        tokens = sum(len(turn.content) for turn in message.turns) // 4
        return Reply(text="Pay as before.", tokens=tokens, cost="0.000100")


def learn(context: Context) -> Json:
    """Do one job of a clerk, who knows what earlier jobs have taught."""
    number = context.job_input["number"]
    vendor = f"V-{number % VENDORS:02}"
    known = context.recall(agent=CLERK, subject=vendor, why="The vendor was here before.")
    record = context.read(agent=CLERK)
    remembered = "\n".join(f"{each.subject}: {each.value}" for each in known)
    account: Any = record["accounts"][f"{number % 100:04}"]
    turns = (
        Turn("user", f"Invoice {number:06} of {vendor}", filled_by="job"),
        Turn("user", remembered, filled_by="memory"),
        Turn("user", f"The account holds {account['balance']:05}.", filled_by="result"),
    )
    message = Message("You are a clerk. Say how to pay.", "What is to be done?", turns)
    reply = context.model(agent=CLERK, message=message, provider=Clerkly())
    value: Json = {"said": reply.text}
    context.handoff(from_agent=CLERK, to_agent=AUDITOR, content=reply.text, value=value)
    if number % 3:
        context.remember(
            agent=CLERK,
            subject=f"{vendor} invoice {number:06}",
            value={"said": "x" * 40},
            expires_in=_KEPT_FOR,
        )
    else:
        context.remember(
            agent=CLERK,
            subject=f"{vendor} account",
            value={"iban": f"DE{number:06}"},
            derived_from=[f"/accounts/{number % 100:04}/balance"],
        )
    return len(known)


register_workflow(
    Workflow(
        WORKFLOW,
        "Learning",
        learn,
        roles=(
            Role(CLERK, "Says how to pay.", "", memory=(Memo("V-", _TEXT),)),
            Role(AUDITOR, "Looks at it.", "", takes=Contract()),
        ),
        seconds=300.0,
    )
)


def work_off() -> float:
    """Work until nothing is queued and return when that was."""
    while work():
        pass
    return time.monotonic()
