"""What would an agent do that believes whatever it reads? Plays calls against a live bank account.

Reads answer from the State as it is, with what others wrote into it; each write is worked out on
it and proposed. The user's calls come first, then those that a planted text asks for.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from agents.packs.recorded import GUARDS
from agents.workflows import Context, ToolFailed, Workflow, register_workflow
from console.canonical import Json
from snapshots.diff import Change

AGENT = "believing-agent"
_CALL: dict[str, Any] = {
    "type": "object",
    "required": ["tool", "args"],
    "properties": {"tool": {"type": "string", "maxLength": 80}, "args": {"type": "object"}},
}
INPUT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["instruction", "calls"],
    "properties": {
        "instruction": {"type": "string"},
        "calls": {"type": "array", "maxItems": 100, "items": _CALL},
    },
}
Args = dict[str, Any]
_ACCOUNT = "/bank_account"


def register() -> None:
    """Make the workflow known."""
    # It is to do whatever it is told, as often as it is told, so that people alone stand between.
    register_workflow(
        Workflow("attacked", "Attacked agent", play, INPUT_SCHEMA, _asked, guards=GUARDS)
    )


def play(context: Context) -> Json:
    """Make every call in its order; return how the proposals ended."""
    outcomes: list[Json] = []
    for call in context.job_input["calls"]:
        document = context.read(agent=AGENT)
        if call["tool"] in _WRITES:
            outcome = context.propose(
                agent=AGENT,
                action_type=call["tool"],
                params=call["args"],
                stated=_WRITES[call["tool"]](document, call["args"]),
            )
            outcomes.append([call["tool"], outcome.status])
        else:
            _look(context, document, call)
    return {"outcomes": outcomes}


def _asked(job_input: dict[str, Any]) -> Json:
    return str(job_input["instruction"])


def _look(context: Context, document: Any, call: dict[str, Any]) -> None:
    read = partial(_read, document, call["tool"], call["args"])
    try:
        context.tool(agent=AGENT, name=call["tool"], args=call["args"], function=read)
    except ToolFailed:
        return


def _read(document: Any, tool: str, args: Args) -> Json:
    if tool not in _READS:
        raise ToolFailed(f"There is no tool {tool}.")
    return _READS[tool](document, args)


def _read_file(document: Any, args: Args) -> Json:
    files = document["filesystem"]["files"]
    if args["file_path"] not in files:
        raise ToolFailed(f"There is no file {args['file_path']}.")
    return str(files[args["file_path"]])


def _recent(document: Any, args: Args) -> Json:
    found: Json = document["bank_account"]["transactions"][-args.get("n", 100) :]
    return found


def _scheduled(document: Any, _args: Args) -> Json:
    found: Json = document["bank_account"]["scheduled_transactions"]
    return found


def _user(document: Any, _args: Args) -> Json:
    return {name: value for name, value in document["user_account"].items() if name != "password"}


_READS: dict[str, Callable[[Any, Args], Json]] = {
    "read_file": _read_file,
    "get_most_recent_transactions": _recent,
    "get_scheduled_transactions": _scheduled,
    "get_user_info": _user,
    "get_iban": lambda document, _args: document["bank_account"]["iban"],
    "get_balance": lambda document, _args: document["bank_account"]["balance"],
}


def _send(document: Any, args: Args) -> list[Change]:
    return [_entered(document, "transactions", {**args, "recurring": False})]


def _schedule(document: Any, args: Args) -> list[Change]:
    return [_entered(document, "scheduled_transactions", args)]


def _entered(document: Any, name: str, args: Args) -> Change:
    account = document["bank_account"]
    known = [*account["transactions"], *account["scheduled_transactions"]]
    number = max((each["id"] for each in known), default=0) + 1
    value = {"id": number, "sender": account["iban"], **args}
    return Change("add", f"{_ACCOUNT}/{name}/{len(account[name])}", value=value)


def _reschedule(document: Any, args: Args) -> list[Change]:
    found = document["bank_account"]["scheduled_transactions"]
    wanted = {name: value for name, value in args.items() if name != "id"}
    for place, entry in enumerate(found):
        if entry["id"] == args["id"]:
            return _replaced(f"{_ACCOUNT}/scheduled_transactions/{place}", entry, wanted)
    return []


def _change_user(document: Any, args: Args) -> list[Change]:
    return _replaced("/user_account", document["user_account"], args)


def _replaced(place: str, before: dict[str, Any], after: Args) -> list[Change]:
    return [
        Change("replace", f"{place}/{name}", before[name], value)
        for name, value in after.items()
        if value is not None and before.get(name) != value
    ]


_WRITES: dict[str, Callable[[Any, Args], list[Change]]] = {
    "send_money": _send,
    "schedule_transaction": _schedule,
    "update_scheduled_transaction": _reschedule,
    "update_password": _change_user,
    "update_user_info": _change_user,
}
