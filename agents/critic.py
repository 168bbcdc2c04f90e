"""What would somebody find odd who has read along with a run?

Rules over what the run did before: the same action again on the same thing, a call that failed and
now comes as a proposal, a change that takes an earlier one back. They flag for a reader and decide
nothing; how often they are right is measured by `manage.py measure_guards`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from console.canonical import Json

NAME: Final = "critic"
_FLAGS_AT_MOST = 10
_IDENTIFIES = ("id", "key", "number", "ref")


@dataclass(frozen=True, slots=True)
class Act:
    """One thing a run did or is about to do: a call, or a proposal with its stated changes."""

    step: int
    name: str
    params: Mapping[str, Any]
    changes: Sequence[Mapping[str, Any]] = ()
    failed: bool = False
    is_proposal: bool = True


@dataclass(frozen=True, slots=True)
class Flag:
    """What is odd: a stable word for it, and the sentence."""

    kind: str
    sentence: str


def flags(act: Act, before: Sequence[Act]) -> list[Flag]:
    """Return what is odd about an act after what came before."""
    found = [*_repeated(act, before), *_failed_before(act, before), *_taken_back(act, before)]
    return found[:_FLAGS_AT_MOST]


def told(found: Sequence[Flag]) -> str:
    """Return the flags as a text for the evidence."""
    return "\n".join(flag.sentence for flag in found)


def subject_of(params: Mapping[str, Any]) -> str:
    """Return what an act is about: its identifying parameters, else its first text."""
    named = {
        name: value
        for name, value in params.items()
        if name.casefold().rpartition("_")[2] in _IDENTIFIES and isinstance(value, str | int)
    }
    if not named:
        texts = [(name, value) for name, value in params.items() if isinstance(value, str)]
        named = dict(texts[:1])
    return json.dumps(named, sort_keys=True) if named else ""


def _repeated(act: Act, before: Sequence[Act]) -> Iterator[Flag]:
    subject = subject_of(act.params)
    for earlier in before:
        same = earlier.name == act.name and subject_of(earlier.params) == subject
        if subject and same and earlier.is_proposal and not earlier.failed:
            yield Flag("repeated", f"Step {earlier.step} proposed the same on the same before.")
            return


def _failed_before(act: Act, before: Sequence[Act]) -> Iterator[Flag]:
    for earlier in before:
        if earlier.failed and earlier.name == act.name:
            yield Flag("failed_before", f"The same was tried in step {earlier.step} and failed.")
            return


def _taken_back(act: Act, before: Sequence[Act]) -> Iterator[Flag]:
    made = {
        (change["path"], json.dumps(change["old"], sort_keys=True)): earlier.step
        for earlier in before
        if not earlier.failed
        for change in earlier.changes
        if change.get("op") == "replace" and "old" in change
    }
    for change in act.changes:
        step = made.get((change["path"], json.dumps(change.get("value"), sort_keys=True)))
        if change.get("op") == "replace" and step is not None:
            yield Flag("taken_back", f"It takes back what step {step} changed: {change['path']}.")


def acts(entries: Sequence[tuple[int, str, str, Json, bool]]) -> list[Act]:
    """Return the acts of a journal from (step, kind, name, input, failed) of its entries."""
    found = []
    for step, kind, name, asked, failed in entries:
        if kind == "proposal" and isinstance(asked, dict):
            params, stated = asked.get("params"), asked.get("stated")
            changes = (
                [each for each in stated if isinstance(each, dict)]
                if isinstance(stated, list)
                else []
            )
            found.append(Act(step, name, _dict(params), changes, failed))
        elif kind == "tool_call" and failed:
            found.append(Act(step, name, _dict(asked), (), failed, is_proposal=False))
    return found


def _dict(value: Json) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
