"""In a hand: lead runs of a team under every guard, or with none of them looking."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from agents.declarations import Contract, Memo, Role, Tool
from agents.guards import RULES
from agents.operations import guarding
from agents.operations.running import work
from agents.trail import Event
from agents.workflows import Context, Message, Reply, Workflow, register_workflow
from console.canonical import Json

WORKFLOW = "watched"
# As many as may be handed over in three round trips, and as many calls as a run may make.
PARTS, CALLS = 2, 36
LEAD, CLERK = "lead", "clerk"
_NUMBER: Mapping[str, Any] = {"type": "object", "properties": {"i": {"type": "integer"}}}
_GIVEN: Mapping[str, Any] = {"type": "object", "required": ["found"]}
# Far away, so that every budget is looked at and none ends a run.
_BUDGETS = {name: {"limit": 10**9} for name, rule in RULES.items() if rule.guard == "budget"}


def _look(_record: Any, i: int) -> Json:
    return {"seen": i}


class Plain:
    """A model that answers at once."""

    name = "scripted"

    def complete(self, message: Message) -> Reply:
        """Return one sentence."""
        return Reply(text=f"Go on after {len(message.content)} letters.", tokens=40, cost="0.0001")


def do(context: Context) -> Json:
    """Call tools, ask a model in between, and hand over and back."""
    number = 0
    for _ in range(PARTS):
        context.handoff(from_agent=LEAD, to_agent=CLERK, content="Look.", value={"i": number})
        for _ in range(CALLS // PARTS):
            number += 1
            context.tool(agent=CLERK, name="look", args={"i": number}, function=_seen(number))
            if number % 6 == 0:
                message = Message("You are a clerk.", f"What follows from {number}?")
                context.model(agent=CLERK, message=message, provider=Plain())
        context.give(agent=CLERK, value={"found": number})
    return number


def _seen(number: int) -> Callable[[], Json]:
    return lambda: {"seen": number}


register_workflow(
    Workflow(
        WORKFLOW,
        "Watched",
        do,
        roles=(
            Role(LEAD, "Asks.", ""),
            Role(
                CLERK,
                "Looks.",
                "",
                tools=(Tool("look", "Look.", _NUMBER, _look),),
                takes=Contract(_NUMBER),
                gives=Contract(_GIVEN),
                memory=(Memo("V-", {"type": "object"}),),
            ),
        ),
        guards={**_BUDGETS, "reads_of_one_tool": {"limit": 100}},
        expects=lambda _finished: (),
        seconds=10.0**6,
    )
)


def work_off_guarded() -> float:
    """Work until nothing is queued; return how many seconds that took."""
    began = time.monotonic()
    while work():
        pass
    return time.monotonic() - began


def work_off_unguarded() -> float:
    """Do the same without guards."""
    with _unguarded():
        return work_off_guarded()


@contextmanager
def _unguarded() -> Iterator[None]:
    with (
        patch.object(guarding.Guards, "before", _nothing),
        patch.object(guarding.Guards, "after", _nothing),
        patch.object(guarding.Guards, "at_end", _nothing),
        patch.object(guarding.Guards, "refusal", _no),
        patch.object(guarding.Guards, "repeated", _unrepeated),
    ):
        yield


def _nothing(*_: Any, **__: Any) -> list[Any]:
    return []


def _no(*_: Any, **__: Any) -> str | None:
    return None


def _unrepeated(*_: Any) -> Event | None:
    return None
