"""What do the policies of a workspace say, and which of their rules is an action's?

The policies are the document of one State: `{"rules": [rule, …]}`, tried in that order. A rule is
`name`, `version`, `mode` (`draft`, `shadow`, `enforced`), `match` (CEL over the action), and the
terms that it sets. Only enforced rules decide; no match means review by two.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from approvals import cel
from approvals.policy import REVIEW_BY_TWO, Terms
from console.canonical import Json

KEY = "policies"
LIST_KEYS = {"/rules": "name"}
Mode = Literal["draft", "shadow", "enforced"]
MODES: tuple[Mode, ...] = ("draft", "shadow", "enforced")
_NOT_KEPT = ("policy", "version", "number", "clause")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: to which actions it speaks, and the terms it sets."""

    match: str
    terms: Terms
    mode: Mode = "enforced"
    note: str = ""

    @property
    def name(self) -> str:
        """Return the name, which is the policy's in the terms."""
        return self.terms.policy

    def to_json(self) -> dict[str, Json]:
        """Return the rule as the document keeps it."""
        kept = self.terms.to_json()
        for key in _NOT_KEPT:
            del kept[key]
        named: dict[str, Json] = {
            "name": self.name,
            "version": self.terms.version,
            "mode": self.mode,
            "match": self.match,
            "note": self.note,
        }
        return {**named, **kept}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any], number: int = 0) -> Self:
        """Return the rule that the document keeps, of the policies' snapshot `number`."""
        asked = {k: v for k, v in kept.items() if k not in {"name", "mode", "match", "note"}}
        terms = Terms.from_json({**asked, "policy": kept["name"], "clause": kept["match"]})
        terms = replace(terms, number=number)
        return cls(kept["match"], terms, kept["mode"], kept.get("note", ""))


def document(rules: Iterable[Rule]) -> dict[str, Json]:
    """Return the policies as one document."""
    return {"rules": [rule.to_json() for rule in rules]}


def rules_of(kept: Mapping[str, Any], number: int) -> tuple[Rule, ...]:
    """Return the rules of a document in the order they are tried."""
    return tuple(Rule.from_json(rule, number) for rule in kept["rules"])


def terms_for(rules: Iterable[Rule], values: Mapping[str, Any]) -> Terms:
    """Return the terms of the first enforced rule that matches, else review by two.

    Raises: cel.BadExpression, cel.Unanswered; whoever asks has to deny then.
    """
    enforced = (rule for rule in rules if rule.mode == "enforced")
    found = next((rule for rule in enforced if cel.holds(rule.match, "action", values)), None)
    return found.terms if found else REVIEW_BY_TWO
