"""Is this a rule that a workspace could live by, and if not, what is wrong at which place?

What the document of the policies holds was checked here before it got there, so that nobody has to
ask again when an action waits for its terms.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from approvals import cel, policy
from approvals.rulebook import Mode, Rule
from console.canonical import Json

_HOUR, _DAY = 3600, 24 * 3600
_AMOUNT = re.compile(r"[0-9]{1,18}(\.[0-9]{1,6})?", re.ASCII)
Name = Annotated[str, Field(min_length=1, max_length=120)]
Expression = Annotated[str, Field(max_length=cel.LONGEST)]
People = Annotated[int, Field(ge=1, le=20)]
Level = Annotated[int, Field(ge=0, le=policy.SIGNED)]
Role = Literal["reviewer", "admin"]
# A signed decision is looked at by a second person who does not know what the first one said.
_SIGNED_BY = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a rule: where (`thresholds/0/filter`), and why.

    Of an expression, line and column are counted from 1; otherwise both are 0.
    """

    place: str
    sentence: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """Return place and sentence, for somebody who does not see the form."""
        where = f" (line {self.line}, column {self.column})" if self.line else ""
        return f"{in_words(self.place)}: {self.sentence}{where}"

    def to_json(self) -> dict[str, Json]:
        """Return what an answer of the API says of it."""
        said: dict[str, Json] = {"field": self.place, "message": self.sentence}
        return {**said, "line": self.line, "column": self.column} if self.line else said


class BadRule(ValueError):
    """This is no rule; `faults` say why."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Keep what is wrong; there is at least one fault."""
        self.faults = tuple(faults)
        super().__init__(str(faults[0]))


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Threshold(_Part):
    approve: People
    deny: People = 1
    roles: Annotated[list[Role], Field(min_length=1, max_length=2)] = ["reviewer", "admin"]
    filter: Expression = ""


Thresholds = Annotated[list[_Threshold], Field(max_length=8)]


class _Limit(_Part):
    per: Annotated[
        list[Literal["counterparty", "subject", "agent", "state"]],
        Field(min_length=1, max_length=4),
    ]
    amount: Annotated[str, Field(max_length=24)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    window_seconds: Annotated[int, Field(ge=_HOUR, le=366 * _DAY)]
    then: Literal["deny", "raise"] = "raise"
    level: Level = policy.SIGNED
    thresholds: Thresholds = []

    @field_validator("amount")
    @classmethod
    def _positive(cls, text: str) -> str:
        # As much as a proposal's amount can be; written out it still fits a sentence.
        if not _AMOUNT.fullmatch(text):
            raise ValueError("An amount is a decimal number such as 30000.00.")
        return text


class _Rule(_Part):
    name: Name
    version: Annotated[int, Field(ge=0)] = 0
    mode: Mode = "enforced"
    match: Expression
    note: Annotated[str, Field(max_length=500)] = ""
    level: Level
    thresholds: Thresholds = []
    expires_seconds: Annotated[int, Field(ge=60, le=90 * _DAY)]
    hold_seconds: Annotated[int, Field(ge=0, le=7 * _DAY)] = 0
    edits: bool = True
    then: Literal["expire", "escalate"] = "expire"
    escalate_to: Thresholds = []
    escalate_seconds: Annotated[int, Field(ge=0, le=90 * _DAY)] = 0
    limits: Annotated[list[_Limit], Field(max_length=8)] = []
    sample: Annotated[float, Field(ge=0, le=1)] = 0.0
    # Taken and left out: whoever puts a rule forward is its author, not whoever it names.
    by: list[str] = []


def checked(kept: Mapping[str, Any]) -> Rule:
    """Return a rule as the policies keep it. Raises: BadRule."""
    if isinstance(kept.get("sample"), int):
        kept = {**kept, "sample": float(kept["sample"])}
    try:
        found = _Rule.model_validate(dict(kept))
    except ValidationError as error:
        raise BadRule([_fault(item) for item in error.errors()]) from error
    if faults := [*_misplaced(found), *_unreadable(found)]:
        raise BadRule(faults)
    return Rule.from_json(found.model_dump(exclude={"by"}))


def in_words(place: str) -> str:
    """Return a place as people say it: `thresholds/0/filter` is `alternative 1, filter`."""
    named = {
        "thresholds": "alternative",
        "escalate_to": "after the deadline, alternative",
        "limits": "limit",
    }
    words: list[str] = []
    for part in place.split("/"):
        if part.isdecimal() and words:
            words[-1] += f" {int(part) + 1}"
        else:
            words.append(named.get(part, part.replace("_", " ")))
    said = ", ".join(filter(None, words)) or "the rule"
    return said[0].upper() + said[1:]


def _fault(item: Any) -> Fault:
    place = "/".join(str(part) for part in item["loc"])
    message = str(item["msg"]).removeprefix("Value error, ").replace("Input should", "This should")
    return Fault(place, message if message.endswith(".") else f"{message}.")


def _misplaced(rule: _Rule) -> Iterator[Fault]:
    """Say what does not go together."""
    if rule.name != rule.name.strip() or not rule.name.isprintable():
        yield Fault("name", "A name consists of characters that can be seen.")
    yield from _about_level(rule)
    if rule.then == "escalate" and not (rule.escalate_to and rule.escalate_seconds):
        yield Fault("then", "Say whom it goes to after the deadline, and how long they have.")
    for number, limit in enumerate(rule.limits):
        yield from _about_limit(rule, limit, f"limits/{number}")


def _about_level(rule: _Rule) -> Iterator[Fault]:
    if rule.level == policy.AUTO:
        if rule.thresholds:
            yield Fault("thresholds", "Level 0 asks nobody; leave the alternatives out.")
        if not rule.sample:
            yield Fault("sample", "Level 0 needs a sample that people look at afterwards.")
    elif not rule.thresholds:
        yield Fault("thresholds", "Say how many must agree.")
    yield from _too_few(rule.level, rule.thresholds, "thresholds")
    yield from _too_few(rule.level, rule.escalate_to, "escalate_to")


def _about_limit(rule: _Rule, limit: _Limit, place: str) -> Iterator[Fault]:
    if limit.then == "deny":
        return
    if limit.level < max(rule.level, 1):
        yield Fault(f"{place}/level", "Beyond a limit more is asked for, not less.")
    if not limit.thresholds:
        yield Fault(f"{place}/thresholds", "Say how many must agree beyond the limit.")
    yield from _too_few(limit.level, limit.thresholds, f"{place}/thresholds")


def _too_few(level: int, asked: Sequence[_Threshold], place: str) -> Iterator[Fault]:
    for number, item in enumerate(asked):
        if level >= policy.SIGNED and item.approve < _SIGNED_BY:
            yield Fault(f"{place}/{number}/approve", "Level 3 takes two people or more.")


def _unreadable(rule: _Rule) -> Iterator[Fault]:
    yield from _bad(rule.match, "action", "match")
    yield from _bad_filters(rule.thresholds, "thresholds")
    yield from _bad_filters(rule.escalate_to, "escalate_to")
    for number, limit in enumerate(rule.limits):
        yield from _bad_filters(limit.thresholds, f"limits/{number}/thresholds")


def _bad_filters(asked: Sequence[_Threshold], place: str) -> Iterator[Fault]:
    for number, item in enumerate(asked):
        if item.filter:
            yield from _bad(item.filter, "reviewer", f"{place}/{number}/filter")


def _bad(text: str, subject: cel.Subject, place: str) -> Iterator[Fault]:
    try:
        cel.check(text, subject)
    except cel.BadExpression as error:
        yield Fault(place, error.sentence, error.line, error.column)
