"""Runs for tests of the rules, written as short lines: calls, answers, words, handoffs."""

from collections.abc import Sequence
from typing import Any

from agents.breaker import Watch
from agents.declarations import Role
from agents.guards import settled
from agents.trail import Event
from agents.verdicts import Verdict
from console.canonical import Json

Line = tuple[Any, ...]


def read(args: Json, answer: Json, tool: str = "look", actor: str = "scout") -> Line:
    return ("read", actor, tool, args, answer, False)


def fail(args: Json, answer: Json = "no", tool: str = "look") -> Line:
    return ("read", "scout", tool, args, answer, True)


def write(args: Json, tool: str = "pay", *, failed: bool = False, actor: str = "scout") -> Line:
    return ("write", actor, tool, args, "done" if not failed else "refused", failed)


def says(words: str, actor: str = "scout") -> Line:
    return ("message", actor, words)


def hands(giver: str, taker: str, words: str = "go on") -> Line:
    return ("handoff", giver, taker, words)


OUTSIDE: Line = ("outside",)


def events(lines: Sequence[Line]) -> list[Event]:
    """Return lines as events; a call and its result stand in the same step."""
    found = []
    for index, line in enumerate(lines):
        match line:
            case ("message", actor, words):
                found.append(Event(index, "message", actor, content=words))
            case ("handoff", giver, taker, words):
                found.append(Event(index, "handoff", giver, taker, content=words))
            case ("outside",):
                found.append(Event(index, "outside", "outside", "arrived"))
            case (kind, actor, tool, args, answer, failed):
                writes = kind == "write"
                found += [
                    Event(index, "call", actor, tool, args, call_id=str(index), writes=writes),
                    Event(
                        index,
                        "result",
                        actor,
                        tool,
                        content=answer,
                        call_id=str(index),
                        error=failed,
                        writes=writes,
                    ),
                ]
    return found


def fired(
    lines: Sequence[Line], guards: dict[str, Any] | None = None, roles: Sequence[Role] = ()
) -> list[tuple[int, str, str]]:
    """Return which rules fire at which step, and how strongly."""
    return [(step, each.rule, each.strength) for step, each in verdicts(lines, guards, roles)]


def verdicts(
    lines: Sequence[Line], guards: dict[str, Any] | None = None, roles: Sequence[Role] = ()
) -> list[tuple[int, Verdict]]:
    watch = Watch(settled(guards or {}), roles)
    return fed(watch, events(lines))


def fed(watch: Watch, happened: Sequence[Event]) -> list[tuple[int, Verdict]]:
    """Feed a watch as the engine does; return what it says, with the steps."""
    found = []
    for event in happened:
        asked = watch.before(event) if event.kind == "call" else []
        found += [(event.index, each) for each in (*asked, *watch.seen(event))]
    return found
