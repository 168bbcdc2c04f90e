"""What speaks against the roles of a workflow, as they are declared?

Two agents that write in the same place, or do the same work, are how teams get confused. Whoever
doubts (the critic) or takes over (the one who works alone) does the others' work on purpose.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

from agents.declarations import ANY_OBJECT, Contract, Role, Tool
from agents.trail import digest_of
from agents.workflows import Workflow
from snapshots import pointer

Kind = Literal[
    "same_path",
    "same_action",
    "same_output",
    "tool_differs",
    "action_of_nobody",
    "tool_of_nobody",
    "no_contract",
    "same_instructions",
]
ERRORS: Final[frozenset[Kind]] = frozenset(
    {"same_path", "same_action", "same_output", "tool_differs", "action_of_nobody"}
)
WORDS_IN_COMMON: Final = 8
_WORD = re.compile(r"\w+(?:[’'-]\w+)*")


@dataclass(frozen=True, slots=True)
class Passage:
    """The same words in the instructions of two roles, each as it is written there."""

    one: str
    other: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that speaks against the roles: what kind, a sentence, whom it is about."""

    kind: Kind
    sentence: str
    roles: tuple[str, ...]
    passages: tuple[Passage, ...] = ()

    @property
    def is_error(self) -> bool:
        """Say whether it has to be mended; anything else is for people to weigh."""
        return self.kind in ERRORS


def findings(workflow: Workflow) -> list[Finding]:
    """Return what speaks against a workflow's roles; nothing where none are declared."""
    if not workflow.roles:
        return []
    pairs = list(combinations(_workers(workflow), 2))
    return [
        *_same_paths(pairs),
        *_same_actions(pairs),
        *_same_outputs(pairs),
        *_different_tools(workflow),
        *_actions_of_nobody(workflow),
        *_tools_of_nobody(workflow),
        *_without_contract(workflow),
        *_same_instructions(list(combinations(workflow.roles, 2))),
    ]


def shared(one: str, other: str, at_least: int = WORDS_IN_COMMON) -> list[Passage]:
    """Return the passages that two texts share: runs of so many words, overlapping runs as one.

    Two texts that are the same from end to end share everything, however short they are.
    """
    mine, theirs = list(_WORD.finditer(one)), list(_WORD.finditer(other))
    said, heard = _lowered(mine), _lowered(theirs)
    if said and said == heard:
        return [Passage(one.strip(), other.strip())]
    runs = {tuple(heard[at : at + at_least]): at for at in range(len(heard) - at_least, -1, -1)}
    found, at = [], 0
    while at + at_least <= len(said):
        start = runs.get(tuple(said[at : at + at_least]))
        if start is None:
            at += 1
            continue
        length = _common(said[at:], heard[start:])
        found.append(Passage(_cut(one, mine, at, length), _cut(other, theirs, start, length)))
        at += length
    return found


Pairs = Sequence[tuple[Role, Role]]


def _workers(workflow: Workflow) -> list[Role]:
    """Return the roles that share the work, without those that do it a second time."""
    team = workflow.team
    apart = {role.name for role in (team.critic, team.alone) if role} if team else set()
    return [role for role in workflow.roles if role.name not in apart]


def _same_paths(pairs: Pairs) -> Iterator[Finding]:
    for one, other in pairs:
        both = [(a, b) for a in one.writes for b in other.writes if _overlap(a, b)]
        if both:
            where = ", ".join(sorted({a if a == b else f"{a} and {b}" for a, b in both}))
            sentence = f"{one.name} and {other.name} may both write {where}."
            yield Finding("same_path", sentence, (one.name, other.name))


def _same_actions(pairs: Pairs) -> Iterator[Finding]:
    for one, other in pairs:
        if both := sorted({*one.action_types} & {*other.action_types}):
            sentence = f"{one.name} and {other.name} may both propose {', '.join(both)}."
            yield Finding("same_action", sentence, (one.name, other.name))


def _same_outputs(pairs: Pairs) -> Iterator[Finding]:
    for one, other in pairs:
        if one.gives and other.gives and _is_same(one.gives, other.gives):
            sentence = f"{one.name} and {other.name} hand back the same; who is asked for it?"
            yield Finding("same_output", sentence, (one.name, other.name))


def _different_tools(workflow: Workflow) -> Iterator[Finding]:
    first: dict[str, tuple[str, Tool]] = {}
    brought = [("the workflow", tool) for tool in workflow.tools]
    for name, tool in [*brought, *((r.name, tool) for r in workflow.roles for tool in r.tools)]:
        known_by, known = first.setdefault(tool.name, (name, tool))
        if digest_of(dict(known.schema)) != digest_of(dict(tool.schema)):
            sentence = f"{tool.name} takes other arguments for {known_by} than for {name}."
            yield Finding("tool_differs", sentence, (known_by, name))


def _actions_of_nobody(workflow: Workflow) -> Iterator[Finding]:
    # A critic only names an action, so it does not count.
    critic = workflow.team.critic if workflow.team else None
    roles = [role for role in workflow.roles if role is not critic]
    for name in workflow.proposes:
        if not any(name in role.action_types for role in roles):
            yield Finding("action_of_nobody", f"No role may propose {name}.", ())


def _tools_of_nobody(workflow: Workflow) -> Iterator[Finding]:
    for tool in workflow.tools:
        if not any(role.may_call(tool.name) for role in workflow.roles):
            yield Finding("tool_of_nobody", f"No role may call {tool.name}.", ())


def _without_contract(workflow: Workflow) -> Iterator[Finding]:
    for role in workflow.roles:
        if role.takes is None and role.gives is None:
            sentence = f"{role.name} has no contract: whatever goes in and comes out is taken."
            yield Finding("no_contract", sentence, (role.name,))


def _same_instructions(pairs: Pairs) -> Iterator[Finding]:
    for one, other in pairs:
        if passages := shared(one.instructions, other.instructions):
            sentence = f"{one.name} and {other.name} are told the same in part."
            yield Finding("same_instructions", sentence, (one.name, other.name), tuple(passages))


def _overlap(one: str, other: str) -> bool:
    """Say whether two patterns can mean the same place, or one a place within the other's."""
    parts = zip(pointer.parse(one), pointer.parse(other), strict=False)
    return all(a == b or {a, b} & {"*", "**"} for a, b in parts)


def _is_same(one: Contract, other: Contract) -> bool:
    if dict(one.schema) == ANY_OBJECT:
        return False
    checks = [[check.name for check in contract.checks] for contract in (one, other)]
    same_schema = digest_of(dict(one.schema)) == digest_of(dict(other.schema))
    return same_schema and checks[0] == checks[1]


def _lowered(words: Sequence[re.Match[str]]) -> list[str]:
    return [word.group().casefold() for word in words]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    length = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        length += 1
    return length


def _cut(text: str, words: Sequence[re.Match[str]], start: int, length: int) -> str:
    return text[words[start].start() : words[start + length - 1].end()]
