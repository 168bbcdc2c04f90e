"""Which policy sends what to whom, and how does each of them do?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from approvals import queries, scoring
from approvals.packing import duration
from approvals.policy import AUTO, LEVELS, REVIEW_BY_TWO, Terms, Threshold
from approvals.queries import scoring as verdicts
from approvals.queries.backtesting import DENIED, Backtest
from approvals.queries.scoring import Use
from approvals.rulebook import Rule
from approvals.scoring import SAID, WOULD, Interval, Scores
from approvals.showing.texts import told
from approvals.starters import starters
from console.errors import NotFound

_WOULD = {"auto": "Approve by itself", "review": "Ask people", "deny": "Deny"}
_SAID = {
    "approved": "approved",
    "rejected": "rejected",
    "sent_back": "sent back",
    "undecided": "nobody decided",
}
_MODES = {
    "enforced": ("active", "In force"),
    "shadow": ("queued", "In the shadow"),
    "draft": ("superseded", "Draft"),
}


@dataclass(frozen=True, slots=True)
class Card:
    """One row of the list."""

    place: int
    rule: Rule
    status: str
    mode: str
    who: str
    deadline: str
    use: Use
    overridden: str
    is_noisy: bool
    looks: Interval | None
    has_drifted: bool


def listing(workspace_id: UUID, now: datetime) -> dict[str, Any]:
    """Return what `approvals/policies.html` shows."""
    found = queries.policies(workspace_id)
    uses = verdicts.uses(workspace_id, found.rules, now)
    looks = verdicts.looks(workspace_id, automatic(found.rules))
    cards = [
        _card(place, rule, uses[rule.name], looks)
        for place, rule in enumerate(found.rules, start=1)
    ]
    return {
        "cards": cards,
        "head": found.head,
        "starters": [] if cards else starters(),
        "waiting": waiting(workspace_id),
        "unmatched": uses[REVIEW_BY_TWO.policy].hits,
    }


def waiting(workspace_id: UUID) -> list[dict[str, Any]]:
    """Return the changes of the policies that wait for people."""
    rows = queries.open_policy_changes(workspace_id)
    return [
        {
            "id": row.id,
            "title": told(row.title),
            "by": told(row.proposer["name"]),
            "due_at": row.due_at,
        }
        for row in rows
    ]


def one(workspace_id: UUID, name: str, now: datetime) -> dict[str, Any]:
    """Return what `approvals/policy.html` shows. Raises: NotFound (404)."""
    found = queries.policies(workspace_id)
    place, rule = _named(found.rules, name)
    use = verdicts.uses(workspace_id, [rule], now)[rule.name]
    return {
        "card": _card(place, rule, use, verdicts.looks(workspace_id, automatic([rule]))),
        "rule": rule,
        "head": found.head,
        "facts": facts(rule.terms),
        "others": [other.name for other in found.rules if other.name != rule.name],
        "waiting": waiting(workspace_id),
        "noisy_hits": scoring.NOISY_HITS,
        "noisy_share": f"{scoring.NOISY_SHARE:.0%}",
    }


def shadow(workspace_id: UUID, name: str) -> dict[str, Any]:
    """Return what `approvals/policy_shadow.html` shows. Raises: NotFound (404)."""
    place, rule = _named(queries.policies(workspace_id).rules, name)
    mode = "enforced" if rule.mode == "enforced" else "shadow"
    found = scoring.scores(verdicts.spoken_of(workspace_id, name, mode))
    return {
        "rule": rule,
        "place": place,
        "is_shadow": rule.mode == "shadow",
        "scores": found,
        "matrix": _matrix(found),
        "said_words": [_SAID[said] for said in SAID],
        "agreed": _share(found.agreed),
        "wrong": _share(found.false_approvals),
        "let_through": [f"{code} {total:,.2f}" for code, total in found.let_through.items()],
        "false_approvals": [
            {
                "id": row.proposal_id,
                "title": told(row.proposal.title),
                "status": row.proposal.status,
                "at": row.at,
                "reason": row.proposal.settled_reason,
            }
            for row in verdicts.false_approvals(workspace_id, name)
        ],
        "at_most": verdicts.SCORED_AT_MOST,
    }


def tried(found: Backtest) -> dict[str, Any]:
    """Return what `approvals/_policy_backtest.html` shows."""
    levels = [*map(str, sorted(LEVELS)), DENIED]
    return {
        "backtest": found,
        "levels": [(_level(one), found.before[one], found.after[one]) for one in levels],
        "differences": [
            {
                "id": one.proposal_id,
                "title": told(one.title),
                "status": one.status,
                "at": one.at,
                "before": f"{_level(one.was)} · {one.before.policy}",
                "after": f"{_level(one.would)} · {one.after.policy}",
            }
            for one in found.differences
        ],
    }


def facts(terms: Terms) -> list[tuple[str, str]]:
    """Return the terms of a rule in words."""
    said = [("Level", f"{terms.level}: {LEVELS[terms.level]}"), ("Who must agree", _who(terms))]
    if terms.level == AUTO:
        said.append(("Looked at afterwards", f"{terms.sample:.1%} of what it approves"))
    said.append(("Deadline", _deadline(terms)))
    if terms.hold_seconds:
        said.append(("Held before it is sent", duration(terms.hold_seconds)))
    said.append(("Edits", "allowed" if terms.edits else "not allowed"))
    for limit in terms.limits:
        then = "denied" if limit.then == "deny" else f"level {limit.level}"
        said.append(
            (
                "Limit",
                f"{limit.currency} {limit.amount} per {' and '.join(limit.per)} within "
                f"{duration(limit.window_seconds)}; beyond it {then}",
            )
        )
    return said


def _named(rules: Sequence[Rule], name: str) -> tuple[int, Rule]:
    for place, rule in enumerate(rules, start=1):
        if rule.name == name:
            return place, rule
    raise NotFound("There is no policy of this name.")


def automatic(rules: Iterable[Rule]) -> list[tuple[str, int]]:
    """Return name and version of the rules that approve by themselves."""
    return [
        (rule.name, rule.terms.version)
        for rule in rules
        if rule.mode == "enforced" and rule.terms.level == AUTO
    ]


def _card(place: int, rule: Rule, use: Use, looks: Mapping[tuple[str, int], Interval]) -> Card:
    status, mode = _MODES[rule.mode]
    taken = looks.get((rule.name, rule.terms.version))
    return Card(
        place=place,
        rule=rule,
        status=status,
        mode=mode,
        who=_who(rule.terms),
        deadline=_deadline(rule.terms),
        use=use,
        overridden=f"{use.overridden.share:.0%} of {use.overridden.of}"
        if use.overridden.of
        else "–",
        is_noisy=rule.mode == "enforced" and scoring.is_noisy(use.overridden),
        looks=taken,
        has_drifted=taken is not None and scoring.has_drifted(taken),
    )


def _who(terms: Terms) -> str:
    if terms.level == AUTO:
        return "nobody, by policy"
    return ", or ".join(map(_people, terms.thresholds)) or "nobody"


def _people(asked: Threshold) -> str:
    roles = " or ".join(asked.roles)
    who = f"{asked.approve} × {roles}"
    return f"{who} ({asked.filter})" if asked.filter else who


def _deadline(terms: Terms) -> str:
    after = duration(terms.expires_seconds)
    if terms.then == "escalate":
        others = ", or ".join(map(_people, terms.escalate_to))
        return f"{after}, then {others} within {duration(terms.escalate_seconds)}"
    return f"{after}, then it expires"


def _matrix(found: Scores) -> list[tuple[str, list[tuple[int, bool]]]]:
    wrong = {("auto", "rejected"), ("auto", "sent_back"), ("deny", "approved")}
    return [
        (_WOULD[would], [(found.count(would, said), (would, said) in wrong) for said in SAID])
        for would in WOULD
    ]


def _share(found: Interval) -> dict[str, Any]:
    low, high = found.bounds
    return {
        "hits": found.hits,
        "of": found.of,
        "share": f"{found.share:.1%}",
        "low": f"{low:.1%}",
        "high": f"{high:.1%}",
    }


def _level(name: str) -> str:
    return "Denied" if name == DENIED else f"Level {name}"
