"""What of a workflow's declaration cannot be? Each objection names the member it is about."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from agents import guards
from agents.declarations import Contract, Memo, Role, Tool

# The member and what is wrong with it.
Objection = tuple[str, str]
# What a team calls its own doings; a tool of that name could never be called.
GIVE, FINISH, NOTHING_TO_DO = "give", "finish", "nothing_to_do"
RECALL, REMEMBER = "recall", "remember"
HAND_OVER, PROPOSE = "hand_over_", "propose_"
RESERVED: Final = frozenset({"read_state", GIVE, FINISH, NOTHING_TO_DO, RECALL, REMEMBER})
_WORKFLOW = re.compile(r"[\w.-]{1,80}")
_TOOL = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_AGENT_AT_MOST = 80


def in_general(
    name: str, input_schema: Mapping[str, Any], seconds: float | None, at_once: int | None
) -> Iterator[Objection]:
    """Look at what every workflow has: its name, its input, its limits."""
    if not _WORKFLOW.fullmatch(name):
        yield "name", "1 to 80 letters, digits, dots, dashes and underscores."
    yield from _in_schema("input_schema", input_schema)
    if seconds is not None and seconds <= 0:
        yield "seconds", "A job has more than 0 seconds, or None for no end."
    if at_once is not None and at_once < 1:
        yield "at_once", "At least one run works, or None for no limit."


def in_guards(settings: Mapping[str, Mapping[str, Any]]) -> Iterator[Objection]:
    """Look at how the rules are set."""
    for rule, sentence in guards.objections(settings):
        yield f"guards[{rule!r}]", sentence


def in_roles(roles: Sequence[Role]) -> Iterator[Objection]:
    """Look at each role, and whether one name has one role."""
    for name in _repeated(role.name for role in roles):
        yield f"role {name!r}", "Two roles have this name."
    for role in roles:
        for member, sentence in _in_role(role):
            yield f"role {role.name!r}, {member}", sentence


def in_tools(member: str, tools: Sequence[Tool]) -> Iterator[Objection]:
    """Look at tools that are brought together."""
    for name in _repeated(tool.name for tool in tools):
        yield member, f"Two tools are called {name!r}."
    for tool in tools:
        yield from _in_tool(f"tool {tool.name!r}", tool)


def _in_role(role: Role) -> Iterator[Objection]:
    if not role.name.strip() or len(role.name) > _AGENT_AT_MOST:
        yield "name", f"1 to {_AGENT_AT_MOST} characters."
    if not role.purpose.strip():
        yield "purpose", "People read here what the agent is for."
    if role.window_tokens < 1:
        yield "window_tokens", "A prompt holds at least one token."
    for pattern in role.writes:
        if not pattern.startswith("/"):
            yield "writes", f"A path begins with a slash, and {pattern!r} does not."
    yield from in_tools("tools", role.tools)
    yield from _in_promises(role)


def _in_promises(role: Role) -> Iterator[Objection]:
    for member, contract in (("takes", role.takes), ("gives", role.gives)):
        if contract is not None:
            yield from _in_contract(member, contract)
    for memo in role.memory:
        yield from _in_memo(f"memory {memo.prefix!r}", memo)


def _in_tool(member: str, tool: Tool) -> Iterator[Objection]:
    if not _TOOL.fullmatch(tool.name):
        yield member, "A tool's name is 1 to 64 letters, digits, dashes and underscores."
    if tool.name in RESERVED or tool.name.startswith((HAND_OVER, PROPOSE)):
        yield member, "This name is the console's own."
    if tool.max_calls is not None and tool.max_calls < 1:
        yield member, "max_calls is at least 1, or None."
    if not callable(tool.function):
        yield member, "Its function cannot be called."
    yield from _in_schema(member, tool.schema)
    if tool.schema.get("type") != "object":
        yield member, "The schema of its arguments is that of an object."


def _in_contract(member: str, contract: Contract) -> Iterator[Objection]:
    yield from _in_schema(member, contract.schema)
    for name in _repeated(check.name for check in contract.checks):
        yield member, f"Two checks are called {name!r}."


def _in_memo(member: str, memo: Memo) -> Iterator[Objection]:
    if not memo.prefix:
        yield member, "A type of memory names the beginning of its subjects."
    if memo.expires_in is not None and memo.expires_in.total_seconds() <= 0:
        yield member, "What is kept is kept for some time."
    yield from _in_schema(member, memo.schema)


def _in_schema(member: str, schema: Mapping[str, Any]) -> Iterator[Objection]:
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        yield member, f"This is no JSON Schema: {error.message}"


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
