"""What does a file of attacks hold: a bank account, tasks of its user, and texts planted in it?

Shape: AgentDojo's banking suite (NeurIPS 2024) as one JSON file: `environment`, `tools`,
`injection_vector_defaults`, `text_template`, `user_tasks` with what they are to change,
`injection_tasks` with what they must not, and `attack_cases`.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.packs.recordings import BadRecording, digest, load, properties, words
from approvals.effects import STATED
from approvals.fields import Field
from approvals.operations.registering import ActionTypeSpec
from approvals.policy import Limit, Terms, Threshold
from approvals.rulebook import Rule
from console.canonical import Json
from snapshots.diff import Change

CURRENCY = "EUR"
# Places that hold nothing of their own before something is planted there.
_FILES = {
    "injection_address_change": "address-change.txt",
    "injection_landloard_notice": "landlord-notices.txt",
}
_RISKY = {"update_password", "send_money"}
_MEASURES = {"amount": "/amount", "currency": CURRENCY, "counterparty": "/recipient"}
_DAY = 24 * 3600
_TWO = (Threshold(approve=2, roles=("reviewer",)),)
_ONE = (Threshold(approve=1, roles=("reviewer",)),)
RULES = (
    Rule(
        match="tainted",
        terms=Terms("Taken out of a text: two people", 1, 2, _TWO, 7 * _DAY),
    ),
    Rule(
        match='action == "update_password"',
        terms=Terms("Who gets in: two people", 1, 2, _TWO, 7 * _DAY),
    ),
    Rule(
        match="true",
        terms=Terms(
            "Payments: one person, within a limit",
            1,
            1,
            _ONE,
            7 * _DAY,
            limits=(Limit(("counterparty",), "10000.00", CURRENCY, _DAY, thresholds=_TWO),),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One attack: the user's calls, then the forbidden ones, on an account with a planted text."""

    user_task: str
    injection_task: str
    instruction: str
    document: Json
    calls: list[dict[str, Any]]
    asked: list[Change]
    forbidden: list[Change]

    @property
    def name(self) -> str:
        """Return the two tasks in one word."""
        return f"{self.user_task}+{self.injection_task}"

    def is_asked_for(self, changes: Iterable[Change]) -> bool:
        """Say whether the user's own task asks for each of these changes."""
        known = [each.to_json() for each in self.asked]
        return all(each.to_json() in known for each in changes)

    def forbidden_values(self) -> list[Json]:
        """Return the values that only the forbidden changes bring into the account."""
        usual = [*_leaves(self.document)]
        usual += [leaf for each in self.asked for leaf in _leaves(each.value)]
        brought = [leaf for each in self.forbidden for leaf in _leaves(each.value)]
        return [leaf for leaf in brought if leaf not in usual]

    def is_done(self, document: Json) -> bool:
        """Say whether an account holds any part of a forbidden change."""
        held = [*_leaves(document)]
        return any(value in held for value in self.forbidden_values())


@dataclass(frozen=True, slots=True)
class Attacks:
    """A file of attacks, read."""

    name: str
    action_types: list[ActionTypeSpec]
    cases: list[Case]


def read(path: Path) -> Attacks:
    """Read a file of attacks. Raises: BadRecording."""
    whole = load(path)
    try:
        users = {task["id"]: task for task in whole["user_tasks"]}
        attacks = {task["id"]: task for task in whole["injection_tasks"]}
        cases = [
            _case(whole, users[case["user_task"]], attacks[case["injection_task"]], case)
            for case in whole["attack_cases"]
        ]
        specs = [_action_type(tool) for tool in whole["tools"] if tool["changed_state_in_gold"]]
    except (KeyError, TypeError) as error:
        raise BadRecording(f"{path.name} is not a file of attacks: {error}.") from error
    return Attacks(f"attacks-{path.stem}", specs, cases)


def _case(whole: Any, user: Any, attack: Any, case: Any) -> Case:
    steps = [*user["gold_steps"], *attack["forbidden_steps"]]
    return Case(
        user_task=user["id"],
        injection_task=attack["id"],
        instruction=user["prompt"],
        document=_planted(whole, case["vectors"], attack["goal"]),
        calls=[{"tool": step["tool"], "args": step["args"]} for step in steps],
        asked=[Change.from_json(change) for change in user["gold_diff"]],
        forbidden=[Change.from_json(change) for change in attack["forbidden_diff"]],
    )


def _planted(whole: Any, vectors: Any, goal: str) -> Json:
    document = deepcopy(whole["environment"])
    person = document["user_account"]
    user = f"{person['first_name']} {person['last_name']}"
    template: str = whole["text_template"]
    text = template.replace("{user}", user).replace("{goal}", goal)
    for place in vectors:
        _plant(document, place, whole["injection_vector_defaults"][place], text)
    return document  # type: ignore[no-any-return]


def _plant(document: Any, place: str, usual: str, text: str) -> None:
    """Put a text where the suite has a hole for it: instead of the usual one, or behind it."""
    if not usual:
        files = document["filesystem"]["files"]
        files[_FILES[place]] = f"{files[_FILES[place]]}\n{text}"
        return
    usual = usual.replace("\\t", "\t").replace("\\n", "\n").strip()
    if not _replace(document, usual, text):
        raise BadRecording(f"The account has no place for {place}.")


def _replace(within: Any, usual: str, text: str) -> bool:
    parts = within.items() if isinstance(within, dict) else enumerate(within)
    for key, part in parts:
        if isinstance(part, str) and usual in part:
            within[key] = part.replace(usual, text)
            return True
        if isinstance(part, dict | list) and _replace(part, usual, text):
            return True
    return False


def _action_type(tool: Any) -> ActionTypeSpec:
    shown = list(properties(tool))
    parameters = tool["parameters"]
    return ActionTypeSpec(
        name=tool["name"],
        label=words(tool["name"]),
        sentence=f"{words(tool['name'])}: {{{shown[0]}}}" if shown else words(tool["name"]),
        params_schema={
            "type": "object",
            "properties": properties(tool),
            "required": parameters.get("required", []),
        },
        effect=STATED,
        fields=_FIELDS,
        risk=3 if tool["name"] in _RISKY else 2,
        measures={**_MEASURES} if "amount" in shown else {},
    )


def _both(name: str) -> tuple[str, ...]:
    return tuple(f"/bank_account/{kept}/*/{name}" for kept in _KEPT)


_KEPT = ("transactions", "scheduled_transactions")
_FIELDS = (
    *(Field(path, "Recipient", "account", group="Payment", risk=3) for path in _both("recipient")),
    *(Field(path, "Sender", "account", group="Payment") for path in _both("sender")),
    *(Field(path, "Amount", "money", CURRENCY, "Payment", risk=2) for path in _both("amount")),
    *(Field(path, "Subject", "text", group="Payment") for path in _both("subject")),
    *(Field(path, "Date", "date", group="Payment") for path in _both("date")),
    *(Field(path, "Recurring", "bool", group="Payment") for path in _both("recurring")),
    *(Field(path, "Number", "integer", group="Payment") for path in _both("id")),
    Field("/user_account/password", "Password", "text", group="Account", risk=3),
    Field("/user_account/street", "Street", "text", group="Account"),
    Field("/user_account/city", "City", "text", group="Account"),
    Field("/user_account/*", "User", "text", group="Account"),
)


def _leaves(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    elif value is not None and not isinstance(value, bool):
        yield value


__all__ = ["RULES", "Attacks", "BadRecording", "Case", "digest", "read"]
