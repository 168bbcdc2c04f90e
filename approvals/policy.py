"""Who must agree to an action, and do the decisions so far settle it?

A policy is data. When a revision is made, the first rule that matches is copied into it as its
terms; what is decided later is judged by those terms alone. No match means review by two.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any, Literal, Self

from approvals import cel
from console.canonical import Json

Choice = Literal["approve", "reject", "request_changes"]
Outcome = Literal["pending", "approved", "rejected", "changes_requested"]
AUTO = 0
# From this level on, a yes needs a reason and a tick on every failed check.
REASONED = 2
# From this level on, a decision is signed, blind to the others, with a fact typed from the diff.
SIGNED = 3
LEVELS = {
    0: "by policy, a sample is looked at afterwards",
    1: "one click",
    2: "tick failed checks and give a reason",
    3: "type a fact, sign, the second reviewer blind to the first",
}
REVIEWERS = ("reviewer", "admin")
# Why somebody rejects or wants changes, for the agent to branch on and for figures.
REASON_CODES = {
    "wrong_value": "A value is wrong",
    "wrong_target": "It is about the wrong record, payee or patient",
    "not_supported": "The evidence does not support it",
    "not_allowed": "A rule or a policy forbids it",
    "not_needed": "It is not needed, or no longer",
    "duplicate": "It was done or proposed before",
    "suspicious": "Somebody may be trying to deceive us",
    "unclear": "It cannot be understood",
    "other": "Another reason",
}


@dataclass(frozen=True, slots=True)
class Threshold:
    """One way to agree: so many approvals, and so many rejections that end it.

    Counted are people with one of the roles of whom the `filter` (CEL over `reviewer`) holds.
    """

    approve: int
    deny: int = 1
    roles: tuple[str, ...] = REVIEWERS
    filter: str = ""

    def to_json(self) -> dict[str, Json]:
        """Return what a row or a policy keeps."""
        return {**asdict(self), "roles": [*self.roles]}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return the threshold that a row or a policy keeps."""
        return cls(**{**kept, "roles": tuple(kept.get("roles", REVIEWERS))})


@dataclass(frozen=True, slots=True)
class Limit:
    """How much may wait and be carried out within a time, per payee or the like.

    `per` names what a bucket is made of. Beyond the amount the proposal is denied, or its terms
    are raised to `level` and `thresholds`.
    """

    per: tuple[Literal["counterparty", "subject", "agent", "state"], ...]
    amount: str
    currency: str
    window_seconds: int
    then: Literal["deny", "raise"] = "raise"
    level: int = SIGNED
    thresholds: tuple[Threshold, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Return what a row or a policy keeps."""
        asking: list[Json] = [item.to_json() for item in self.thresholds]
        return {**asdict(self), "per": [*self.per], "thresholds": asking}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return the limit that a row or a policy keeps."""
        asking = tuple(map(Threshold.from_json, kept.get("thresholds", [])))
        return cls(**{**kept, "per": tuple(kept["per"]), "thresholds": asking})


@dataclass(frozen=True, slots=True)
class Terms:
    """A rule of the policies as copied into a revision.

    `version` is the rule's, `number` the snapshot of the policies it was taken from, `clause` the
    expression that matched, `by` who changed the rule last (references), for they may not decide.
    `escalated` is no part of what is kept: the deadline brings it.
    """

    policy: str
    version: int
    level: int
    thresholds: tuple[Threshold, ...]
    expires_seconds: int
    hold_seconds: int = 0
    edits: bool = True
    then: Literal["expire", "escalate"] = "expire"
    escalate_to: tuple[Threshold, ...] = ()
    escalate_seconds: int = 0
    limits: tuple[Limit, ...] = ()
    sample: float = 0.0
    number: int = 0
    clause: str = ""
    by: tuple[str, ...] = ()
    escalated: bool = field(default=False, compare=False)

    @property
    def asked(self) -> tuple[Threshold, ...]:
        """Return the alternatives that count now: others than at first after an escalation."""
        return self.escalate_to if self.escalated and self.escalate_to else self.thresholds

    @property
    def needed(self) -> int:
        """Return how many approvals are enough at the least."""
        return min((item.approve for item in self.asked), default=0)

    @property
    def roles(self) -> tuple[str, ...]:
        """Return the roles of all who may have a say."""
        return tuple(dict.fromkeys(role for item in self.asked for role in item.roles))

    def to_json(self) -> dict[str, Json]:
        """Return what the revision's row keeps."""
        kept: dict[str, Json] = asdict(self)
        kept["thresholds"] = [item.to_json() for item in self.thresholds]
        kept["escalate_to"] = [item.to_json() for item in self.escalate_to]
        kept["limits"] = [item.to_json() for item in self.limits]
        kept["by"] = [*self.by]
        del kept["escalated"]
        return kept

    @classmethod
    def from_json(cls, kept: Mapping[str, Any], *, escalated: bool = False) -> Self:
        """Return the terms that a revision's row keeps."""
        values = {
            **kept,
            "thresholds": tuple(map(Threshold.from_json, kept["thresholds"])),
            "escalate_to": tuple(map(Threshold.from_json, kept.get("escalate_to", []))),
            "limits": tuple(map(Limit.from_json, kept.get("limits", []))),
            "by": tuple(kept.get("by", ())),
        }
        return cls(**values, escalated=escalated)

    def same_demands(self, other: "Terms") -> bool:
        """Say whether both ask for the same, whatever version of the policies they come from."""
        return self.demands == other.demands

    @property
    def demands(self) -> "Terms":
        """Return what is asked for, without where it was read."""
        return replace(self, version=0, number=0, clause="")


REVIEW_BY_TWO = Terms(
    policy="Nothing matched: review by two",
    version=0,
    level=2,
    thresholds=(Threshold(approve=2),),
    expires_seconds=7 * 24 * 3600,
)


@dataclass(frozen=True, slots=True)
class Authority:
    """What somebody may approve at most, and until when.

    `action_types` are patterns (`pay_*`); without an amount it holds for any.
    """

    action_types: tuple[str, ...]
    amount: Decimal | None = None
    currency: str = ""
    expires_at: datetime | None = None

    def covers(self, stake: "Stake", now: datetime) -> bool:
        """Say whether this authority reaches that far, now."""
        if self.expires_at is not None and now >= self.expires_at:
            return False
        if not any(fnmatchcase(stake.action_type, pattern) for pattern in self.action_types):
            return False
        if self.amount is None or stake.amount is None:
            return True
        return self.currency == stake.currency and abs(stake.amount) <= self.amount


@dataclass(frozen=True, slots=True)
class Stake:
    """What a decision is about: the kind of action, and how much, if it is about an amount."""

    action_type: str
    amount: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Whoever wants to decide, with what they hold at this moment.

    `roles` are their own. Who stands in for somebody (`stands_for`, a reference) brings that
    person's roles in `lent`, and is bound by that person's limits (`lent_authority`) beside their
    own: nobody lends more than they have. Without any limit, a role is enough. `named_by` are those
    who made the delegations.
    """

    kind: str
    ref: str
    roles: frozenset[str]
    email: str = ""
    stands_for: str = ""
    lent: frozenset[str] = frozenset()
    authority: tuple[Authority, ...] = ()
    lent_authority: tuple[Authority, ...] = ()
    named_by: frozenset[str] = frozenset()

    @property
    def counts_as(self) -> frozenset[str]:
        """Return the roles that thresholds look at."""
        return self.roles | self.lent

    @property
    def refs(self) -> frozenset[str]:
        """Return everybody whose say this is."""
        return frozenset({self.ref, self.stands_for} - {""})


@dataclass(frozen=True, slots=True)
class Objection:
    """Why somebody may not decide: a stable code, and the sentence for them."""

    code: Literal["not_eligible", "lineage", "authority_exceeded"]
    sentence: str


@dataclass(frozen=True, slots=True)
class Question:
    """On what is decided: the terms, who may not, what is at stake, and when."""

    terms: Terms
    lineage: tuple[str, ...]
    stake: Stake
    now: datetime


def objection_to(reviewer: Reviewer, question: Question) -> Objection | None:
    """Say why this reviewer may not decide, or nothing when they may."""
    if reviewer.kind != "person":
        return Objection("not_eligible", "Only people decide; a program or an agent cannot.")
    if reviewer.ref in question.lineage:
        sentence = "You took part in making this proposal, so somebody else has to decide."
        return Objection("lineage", sentence)
    if reviewer.stands_for in question.lineage:
        sentence = "Whom you stand in for took part in making this proposal."
        return Objection("lineage", sentence)
    if reviewer.named_by and reviewer.named_by <= set(question.lineage):
        sentence = "Whoever named you to stand in took part in making this proposal."
        return Objection("lineage", sentence)
    if not any(fits(reviewer, item) for item in question.terms.asked):
        needed = " or ".join(question.terms.roles) or "nobody has"
        return Objection("not_eligible", f"This decision needs the role {needed}.")
    return _out_of_reach(reviewer, question)


def _out_of_reach(reviewer: Reviewer, question: Question) -> Objection | None:
    """Say whose limits do not reach so far; without any, everything is in reach."""
    mine = "This goes beyond what you may approve; somebody with more authority has to."
    theirs = "This goes beyond what the person you stand in for may approve."
    for held, sentence in ((reviewer.authority, mine), (reviewer.lent_authority, theirs)):
        if held and not any(item.covers(question.stake, question.now) for item in held):
            return Objection("authority_exceeded", sentence)
    return None


def fits(reviewer: Reviewer, threshold: Threshold) -> bool:
    """Say whether a threshold counts this reviewer; one that gives no answer counts nobody."""
    if not reviewer.counts_as & set(threshold.roles):
        return False
    if not threshold.filter:
        return True
    known = {
        "ref": reviewer.ref,
        "email": reviewer.email,
        "roles": sorted(reviewer.counts_as),
    }
    try:
        return cel.holds(threshold.filter, "reviewer", {"reviewer": known})
    except (cel.BadExpression, cel.Unanswered):
        return False


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's choice, with what that person holds now."""

    choice: Choice
    reviewer: Reviewer


def outcome(question: Question, votes: Iterable[Vote]) -> Outcome:
    """Return what the decisions on one revision add up to; a denial wins over approvals.

    Only votes count whose makers may still decide; somebody and whoever stands in for them have
    one vote together.
    """
    counted = [vote for vote in votes if objection_to(vote.reviewer, question) is None]
    asked = question.terms.asked
    if any(_count(counted, item, "reject") >= item.deny for item in asked):
        return "rejected"
    if any(vote.choice == "request_changes" for vote in counted):
        return "changes_requested"
    if any(_count(counted, item, "approve") >= item.approve for item in asked):
        return "approved"
    return "pending"


def _count(votes: Iterable[Vote], threshold: Threshold, choice: Choice) -> int:
    heard: set[str] = set()
    count = 0
    for vote in votes:
        if vote.choice == choice and fits(vote.reviewer, threshold):
            count += not heard & vote.reviewer.refs
            heard |= vote.reviewer.refs
    return count


def says_something(reason: str) -> bool:
    """Say whether a reason holds a letter or a digit, not only what cannot be seen."""
    return any(letter.isalnum() for letter in reason)


def missing_from(terms: Terms, choice: Choice, reason: str, unticked: Sequence[str]) -> str | None:
    """Say what this decision still needs, or nothing when it is complete."""
    if choice == "reject" and not says_something(reason):
        return "Say why you reject, so that the agent and your colleagues can learn from it."
    if choice == "request_changes" and not says_something(reason):
        return "Say what should change, so that the agent can word it anew."
    if choice == "approve" and terms.level >= REASONED and not says_something(reason):
        return "This level asks for a reason."
    if choice == "approve" and terms.level >= REASONED and unticked:
        return f"Tick what you have checked yourself: {unticked[0]}"
    return None


def rank(risk: int, due_epoch_seconds: int) -> int:
    """Return the place in the queue: highest risk first, then the nearest deadline."""
    return (9 - risk) * 10**12 + due_epoch_seconds
