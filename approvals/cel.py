"""Does an expression of a policy hold for these values?

The only place that knows the CEL library. An expression is compiled once per process; one that
cannot be read says at which place, one that cannot be answered raises, and whoever asked denies.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cel_expr_python import cel

Subject = Literal["action", "reviewer"]
LONGEST = 2_000
_UNANSWERED = (RuntimeError, ValueError, TypeError, OverflowError)
_PLACE = re.compile(r"<input>:(\d+):(\d+): ?([^\n]*)")
_WANTED = re.compile(r" expecting \{.*")
# What is text or a remark, to be left alone when the expression itself is looked at.
_TEXT = re.compile(
    r"""
    [bB]?[rR][bB]?(?:"{3}[\s\S]*?"{3}|'{3}[\s\S]*?'{3}|"[^"\n]*"|'[^'\n]*')
    |"{3}(?:\\[\s\S]|[^\\])*?"{3}|'{3}(?:\\[\s\S]|[^\\])*?'{3}
    |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'
    |//[^\n]*
    """,
    re.VERBOSE,
)
_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter)\s*$")
_INDEXED = re.compile(r"[\])}§A-Za-z0-9_]\s*$")
_WORD_IN = re.compile(r"(?:^|[^A-Za-z0-9_])in\s*$")
_LITERALS = re.compile(r"\[(?:[\s,§-]|[0-9][0-9.eu]*|true|false|null)*\]")
_GROWS = (
    "Inside all, exists, map or filter nothing is put together anew with +, [ ] or { }; "
    "a list of plain values is fine."
)
# What an expression may speak of. Everything else is unknown when it is saved, not when it is used.
_VARIABLES: dict[Subject, dict[str, cel.Type]] = {
    "action": {
        "action": cel.Type.STRING,
        "params": cel.Type.DYN,
        "fields": cel.Type.DYN,
        "amount": cel.Type.DOUBLE,
        "currency": cel.Type.STRING,
        "counterparty": cel.Type.STRING,
        "subject": cel.Type.STRING,
        "state": cel.Type.STRING,
        "agent": cel.Type.STRING,
        "risk": cel.Type.INT,
        "leaves_house": cel.Type.BOOL,
        "failed_checks": cel.Type.INT,
        "tainted": cel.Type.BOOL,
        "false_authority": cel.Type.BOOL,
        "hour": cel.Type.INT,
        "weekday": cel.Type.INT,
    },
    "reviewer": {"reviewer": cel.Type.DYN},
}


@dataclass(frozen=True)
class BadExpression(ValueError):
    """An expression cannot be read: why, and where (both counted from 1)."""

    sentence: str
    line: int
    column: int

    def __str__(self) -> str:
        """Return the sentence with its place."""
        return f"{self.sentence} (line {self.line}, column {self.column})"


class Unanswered(ValueError):
    """An expression gave no yes and no no for these values."""


def check(text: str, subject: Subject) -> None:
    """Say nothing when the expression can be used. Raises: BadExpression."""
    _compiled(text, subject)


@dataclass(frozen=True, slots=True)
class Given:
    """Values that many expressions are asked about, translated for them once."""

    activation: cel.Activation


def given(subject: Subject, values: Mapping[str, Any]) -> Given:
    """Return values made ready for many expressions. Raises: Unanswered."""
    try:
        return Given(_environment(subject).Activation(dict(values)))
    except _UNANSWERED as error:
        raise Unanswered(str(error)) from error


def holds(text: str, subject: Subject, values: Mapping[str, Any] | Given) -> bool:
    """Say whether an expression holds. Raises: BadExpression, Unanswered."""
    compiled = _compiled(text, subject)
    known = values if isinstance(values, Given) else given(subject, values)
    try:
        answer = compiled.eval(known.activation).value()
    except _UNANSWERED as error:
        raise Unanswered(str(error)) from error
    if not isinstance(answer, bool):
        raise Unanswered(f"{text!r} says {answer!r}, not true or false.")
    return answer


@functools.lru_cache(maxsize=2_000)
def _compiled(text: str, subject: Subject) -> cel.Expression:
    if len(text) > LONGEST:
        raise BadExpression(f"An expression has at most {LONGEST} characters.", 1, LONGEST)
    try:
        found = _environment(subject).compile(text)
    except RuntimeError as error:
        raise _bad(str(error)) from error
    kind = found.return_type()
    if kind not in [cel.Type.BOOL, cel.Type.DYN]:
        raise BadExpression("An expression has to be true or false.", 1, 1)
    _refuse_growing(text)
    return found


def _refuse_growing(text: str) -> None:
    """Refuse what could double a value at each step: thirty steps fill a machine's memory.

    The library counts steps, and not how much each of them makes.
    """
    plain = _TEXT.sub(_blanked, text)
    inside: list[bool] = []
    for at, letter in enumerate(plain):
        if letter == "(":
            inside.append(bool(_MACRO.search(plain, 0, at)))
        elif letter == ")" and inside:
            inside.pop()
        elif any(inside) and _puts_together(plain, at):
            line = plain.count("\n", 0, at) + 1
            raise BadExpression(_GROWS, line, at - plain.rfind("\n", 0, at))


def _blanked(found: re.Match[str]) -> str:
    sign = " " if found[0].startswith("//") else "§"
    return re.sub(r"[^\n]", sign, found[0])


def _puts_together(plain: str, at: int) -> bool:
    if plain[at] != "[":
        return plain[at] in "+{"
    before = plain[:at]
    is_index = _INDEXED.search(before) and not _WORD_IN.search(before)
    return not is_index and not _LITERALS.match(plain, at)


@functools.cache
def _environment(subject: Subject) -> cel.Env:
    return cel.NewEnv(variables=_VARIABLES[subject])


def _bad(message: str) -> BadExpression:
    place = _PLACE.search(message)
    if place is None:
        return BadExpression(message, 1, 1)
    return BadExpression(_plainly(place[3].strip()), int(place[1]), int(place[2]))


def _plainly(message: str) -> str:
    """Return the compiler's sentence without the list of everything it would have liked."""
    said = _WANTED.sub("", message.removesuffix("[INVALID_ARGUMENT]")).strip()
    said = said.removesuffix(" (in container '')")
    if "'<EOF>'" in said:
        return "The expression ends too early."
    if "(double, int)" in said or "(int, double)" in said:
        said += "; an amount is compared with a number that has a point, such as 5000.0"
    return f"{said[:1].upper()}{said[1:]}." if said else "Cannot be read."
