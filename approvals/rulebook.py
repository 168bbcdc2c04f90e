"""What do the policies of a workspace say, and which of their rules is an action's?

The policies are the document of one State: `{"rules": [rule, …]}`, tried in that order. A rule is
`name`, `version`, `mode` (`draft`, `shadow`, `enforced`), `match` (CEL over the action), the terms
that it sets, and `by` whom it was changed last, if by people. Only enforced rules decide; no match
means review by two.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, Self

from approvals import cel
from approvals.effects import Measure
from approvals.policy import AUTO, REVIEW_BY_TWO, Terms, Threshold
from console.canonical import Json

KEY = "policies"
LIST_KEYS = {"/rules": "name"}
EFFECT = "approvals.policies"
CHANGE = "approvals.change_policies"
Mode = Literal["draft", "shadow", "enforced"]
Would = Literal["auto", "review", "deny"]
MODES: tuple[Mode, ...] = ("draft", "shadow", "enforced")
# Who may change the policies is not for the policies to say.
POLICY_CHANGE = Terms(
    policy="Changing policies",
    version=1,
    level=2,
    thresholds=(Threshold(approve=1, roles=("admin",)),),
    expires_seconds=7 * 24 * 3600,
    edits=False,
)
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
        # What the house came with, nobody wrote.
        if not self.terms.by:
            del kept["by"]
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


@dataclass(frozen=True, slots=True)
class Said:
    """What one rule would do about an action: in force, or in the shadow."""

    rule: str
    version: int
    mode: Literal["enforced", "shadow"]
    level: int
    would: Would
    why: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The terms that the rules set, what each would do, and why none of them could be asked."""

    terms: Terms
    problem: str = ""
    said: tuple[Said, ...] = ()


def judge(rules: Iterable[Rule], values: Mapping[str, Any]) -> Judgement:
    """Ask the rules in their order: the first enforced one that matches sets the terms.

    One that cannot be answered denies. A shadow rule is asked where it stands: behind the rule
    that matched it would change nothing, so it says nothing.
    Raises: cel.Unanswered when the values are nothing that expressions could speak of.
    """
    said: list[Said] = []
    given = cel.given("action", values)
    for rule in rules:
        match, problem = _asked(rule, given)
        if match and rule.mode != "draft":
            said.append(_said(rule, problem))
        if match and rule.mode == "enforced":
            terms = _denying(rule) if problem else rule.terms
            return Judgement(terms, problem, tuple(said))
    nothing = REVIEW_BY_TWO
    said.append(Said(nothing.policy, nothing.version, "enforced", nothing.level, "review"))
    return Judgement(nothing, "", tuple(said))


def _asked(rule: Rule, values: cel.Given) -> tuple[bool, str]:
    """Say whether a rule speaks to an action, and why that could not be found out."""
    if rule.mode == "draft":
        return False, ""
    try:
        return cel.holds(rule.match, "action", values), ""
    except (cel.BadExpression, cel.Unanswered) as error:
        return True, f"The policy “{rule.name}” could not be asked: {error}"


def _said(rule: Rule, problem: str) -> Said:
    would: Would = "deny" if problem else "auto" if rule.terms.level == AUTO else "review"
    mode: Literal["enforced", "shadow"] = "enforced" if rule.mode == "enforced" else "shadow"
    return Said(rule.name, rule.terms.version, mode, rule.terms.level, would, problem)


def _denying(rule: Rule) -> Terms:
    """Return terms that nobody should need: the rule's name, and nothing that it would allow."""
    return replace(REVIEW_BY_TWO, policy=rule.name, version=rule.terms.version, clause=rule.match)


@dataclass(frozen=True, slots=True)
class About:
    """What an expression may know of an action besides its parameters and its effect."""

    action: str
    state: str
    agent: str
    risk: int
    leaves_house: bool
    tainted: bool
    false_authority: bool = False


def values_of(
    about: About,
    params: Mapping[str, Any],
    changes: Sequence[Mapping[str, Json]],
    failed_checks: int,
    measure: Measure,
    now: datetime,
) -> dict[str, Any]:
    """Return what an expression may speak of; the names are declared in `approvals/cel.py`."""
    return {
        "action": about.action,
        "params": params,
        "fields": list(changes),
        "amount": float(measure.amount or 0),
        "currency": measure.currency,
        "counterparty": measure.counterparty,
        "subject": measure.subject,
        "state": about.state,
        "agent": about.agent,
        "risk": about.risk,
        "leaves_house": about.leaves_house,
        "failed_checks": failed_checks,
        "tainted": about.tainted,
        "false_authority": about.false_authority,
        "hour": now.hour,
        "weekday": now.isoweekday(),
    }
