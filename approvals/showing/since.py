"""What is different from the wording that a person looked at last?"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from approvals.policy import Terms
from approvals.queries import Detail
from approvals.queries.around import wording
from approvals.showing.agreeing import in_words
from approvals.showing.difference import record_of, table
from approvals.showing.texts import told
from snapshots.diff import Change


@dataclass(frozen=True, slots=True)
class Since:
    """What came, went or changed since a revision, and what stayed as it was.

    Shape: `rows` are rows of `_diff_table.html`, from one wording to the other; `marks` and
    `checks_kept` name the rows and the checks that say what they said.
    """

    number: int
    rows: list[dict[str, Any]]
    checks: list[dict[str, Any]]
    evidence: list[int]
    terms: list[str]
    marks: frozenset[str]
    checks_kept: frozenset[str]

    @property
    def is_nothing(self) -> bool:
        """Say whether the newer wording differs in nothing that is shown."""
        return not (self.rows or self.checks or self.evidence or self.terms)


def since(found: Detail, number: int, laid: list[dict[str, Any]]) -> Since | None:
    """Hold the current wording against an earlier one; None where there is no earlier one."""
    old = wording(found, number) if 0 < number < found.revision.number else None
    if old is None:
        return None
    changes = [Change.from_json(item) for item in old.changes]
    before = table(replace(found, revision=old), record_of(found, old.base_number, changes))
    return Since(
        number=number,
        rows=_rows(before, laid, found.revision.number),
        checks=_checks(old.checks, found.revision.checks),
        evidence=[item.number for item in found.evidence if item.created_at > old.created_at],
        terms=_terms(Terms.from_json(old.terms), found.terms),
        marks=frozenset(row["mark"] for row in before),
        checks_kept=frozenset(
            check["name"] for check in found.revision.checks if check in old.checks
        ),
    )


def _rows(
    before: list[dict[str, Any]], after: list[dict[str, Any]], number: int
) -> list[dict[str, Any]]:
    old, new = ({row["path"]: row for row in laid} for laid in (before, after))
    found = []
    for path in dict.fromkeys([*new, *old]):
        one, other = old.get(path), new.get(path)
        if one is None or other is None or one["mark"] != other["mark"]:
            found.append(_row(one, other, number))
    return found


def _row(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, number: int
) -> dict[str, Any]:
    known: Mapping[str, Any] = new or old or {}
    plain = {**known, "evidence": [], "sources": [], "moved": False, "note": ""}
    if old is None:
        return {
            **plain,
            "before": None,
            "after": known["after"],
            "why": f"new in revision {number}",
        }
    if new is None:
        return {**plain, "before": old["after"], "after": None, "why": "no longer part of it"}
    if old["after"] == new["after"]:
        why = "what stands there is another value now; what is proposed is the same"
        return {**plain, "before": old["before"], "after": new["before"], "why": why}
    why = "another value is proposed"
    return {**plain, "before": old["after"], "after": new["after"], "why": why}


def _checks(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    known = {check["name"]: check for check in old}
    found = [
        {**check, "sentence": told(check["sentence"]), "was": _was(known.get(check["name"]))}
        for check in new
        if check not in old
    ]
    names = {check["name"] for check in new}
    gone = [check for check in old if check["name"] not in names]
    return found + [
        {**check, "sentence": told(check["sentence"]), "was": "no longer checked"} for check in gone
    ]


def _was(check: Mapping[str, Any] | None) -> str:
    if check is None:
        return "new"
    return "held before" if check["passed"] else "failed before"


def _terms(old: Terms, new: Terms) -> list[str]:
    if old.same_demands(replace(new, escalated=False)):
        return []
    return [f"The policy changed: {new.policy}."] + [
        sentence for sentence in in_words(new) if sentence not in in_words(old)
    ]
