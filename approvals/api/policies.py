"""Policies over HTTP: which there are, what a draft would have done, and proposing a change.

Programs may read and try; putting a change forward takes a person who is signed in, and another
one who agrees to it in the browser.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Field, Router, Schema, Status
from pydantic import ConfigDict

from approvals import queries
from approvals.amending import Amendment
from approvals.operations.policing import propose_change
from approvals.operations.trying import try_out
from approvals.queries import scoring as verdicts
from approvals.queries.backtesting import Backtest
from approvals.queries.scoring import Use
from approvals.rulebook import Rule
from approvals.scoring import Interval, scores
from console.access.bearer import Bearer, ClientRequest
from console.access.people import People
from console.endpoints import PROBLEMS
from console.errors import NotFound

router = Router()
Name = Annotated[str, Field(max_length=120)]


class PolicyOut(Schema):
    """A policy and how it does: hits in 7 days, and how many of 90 days' reviews changed nothing.

    `rule` is what a change sends back: name, version, mode, match, level, thresholds and times.
    """

    place: int
    name: str
    version: int
    mode: Literal["draft", "shadow", "enforced"]
    level: int
    rule: dict[str, Any]
    hits: int
    reviews: int
    reviews_that_changed_nothing: int


class Policies(Schema):
    """The policies of a workspace in the order they are asked; `number` is the snapshot."""

    number: int
    state: UUID | None
    items: list[PolicyOut]


class ShareOut(Schema):
    """A share of a sample, with the interval that holds the true one in 95 of 100 samples."""

    hits: int
    of: int
    share: float
    low: float
    high: float


class ShadowOut(Schema):
    """What a policy would have done, held against what people decided on the same wordings.

    `matrix` counts by `auto`, `review`, `deny` and then by `approved`, `rejected`, `sent_back`,
    `undecided`; `let_through` adds up by currency what people did not want.
    """

    seen: int
    decided: int
    matrix: dict[str, dict[str, int]]
    agreed: ShareOut
    false_approvals: ShareOut
    let_through: dict[str, str]


class PolicyDetail(PolicyOut):
    """One policy, and how it agrees with people."""

    agreement: ShadowOut


class ChangeIn(Schema):
    """One change of the policies.

    `put` writes `rule`: a new one, or the one called `name` in the `version` you looked at;
    `remove` and `move` take `name` and `version`; `before` names the policy it is put in front of.
    """

    model_config = ConfigDict(extra="forbid")

    op: Literal["put", "remove", "move"]
    rule: dict[str, Any] | None = None
    name: Name = ""
    version: Annotated[int, Field(ge=0)] = 0
    before: Name = ""


class ProposalIn(ChangeIn):
    """A change, and why."""

    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class TryIn(ChangeIn):
    """A change to be tried on the proposals of the last days."""

    days: Annotated[int, Field(ge=1, le=365)] = 30


class Proposed(Schema):
    """The change waits for another admin, like any other proposal."""

    id: UUID
    status: Literal["pending"] = "pending"


class DifferenceOut(Schema):
    """A past proposal of which something else would have been asked, by level or `denied`."""

    proposal: UUID
    title: str
    status: str
    before: str
    before_policy: str
    after: str
    after_policy: str


class BacktestOut(Schema):
    """What the policies would have asked for, by level, with and without a change.

    At most 5,000 proposals, the newest; `is_cut` says that there were more.
    """

    days: int
    asked: int
    is_cut: bool
    hits: int
    differing: int
    let_through: int
    before: dict[str, int]
    after: dict[str, int]
    differences: list[DifferenceOut]


@router.get(
    "",
    auth=[Bearer("policies:read"), People("see", only=False)],
    response={200: Policies, **PROBLEMS},
)
def list_policies(request: ClientRequest) -> Policies:
    """List the policies in the order they are asked."""
    found = queries.policies(request.actor.workspace_id)
    uses = verdicts.uses(request.actor.workspace_id, found.rules, datetime.now(UTC))
    return Policies(
        number=found.number,
        state=found.head.state_id if found.head else None,
        items=[PolicyOut(**_shown(place, rule, uses)) for place, rule in enumerate(found.rules, 1)],
    )


@router.get(
    "/one",
    auth=[Bearer("policies:read"), People("see", only=False)],
    response={200: PolicyDetail, **PROBLEMS},
)
def get_policy(request: ClientRequest, name: Name) -> PolicyDetail:
    """Look at one policy, by its name."""
    workspace_id = request.actor.workspace_id
    for place, rule in enumerate(queries.policies(workspace_id).rules, 1):
        if rule.name == name:
            uses = verdicts.uses(workspace_id, [rule], datetime.now(UTC))
            return PolicyDetail(
                **_shown(place, rule, uses), agreement=_agreement(workspace_id, rule)
            )
    raise NotFound("There is no policy of this name.")


@router.post("", auth=People("policies"), response={201: Proposed, **PROBLEMS})
def propose_policy(request: ClientRequest, payload: ProposalIn) -> Status[Proposed]:
    """Put a change of the policies before another admin. No token can."""
    made = propose_change(
        actor=request.actor,
        change=_change(payload),
        reason=payload.reason,
        now=datetime.now(UTC),
    )
    return Status(201, Proposed(id=made))


@router.post("/backtest", auth=People("policies"), response={200: BacktestOut, **PROBLEMS})
def backtest_policy(request: ClientRequest, payload: TryIn) -> BacktestOut:
    """Say what the policies would have asked for in the last days after a change."""
    found = try_out(
        actor=request.actor, change=_change(payload), days=payload.days, now=datetime.now(UTC)
    )
    return _tried(found)


def _change(payload: ChangeIn) -> Amendment:
    said = payload.model_dump(include={"op", "rule", "name", "version", "before"})
    return Amendment(**said)


def _shown(place: int, rule: Rule, uses: dict[str, Use]) -> dict[str, Any]:
    use = uses[rule.name]
    return {
        "place": place,
        "name": rule.name,
        "version": rule.terms.version,
        "mode": rule.mode,
        "level": rule.terms.level,
        "rule": rule.to_json(),
        "hits": use.hits,
        "reviews": use.overridden.of,
        "reviews_that_changed_nothing": use.overridden.hits,
    }


def _agreement(workspace_id: UUID, rule: Rule) -> ShadowOut:
    mode = "enforced" if rule.mode == "enforced" else "shadow"
    found = scores(verdicts.spoken_of(workspace_id, rule.name, mode))
    matrix: dict[str, dict[str, int]] = {}
    for (would, said), count in found.matrix.items():
        matrix.setdefault(would, {})[said] = count
    return ShadowOut(
        seen=found.seen,
        decided=found.decided,
        matrix=matrix,
        agreed=_share(found.agreed),
        false_approvals=_share(found.false_approvals),
        let_through={code: str(total) for code, total in found.let_through.items()},
    )


def _share(found: Interval) -> ShareOut:
    low, high = found.bounds
    return ShareOut(hits=found.hits, of=found.of, share=found.share, low=low, high=high)


def _tried(found: Backtest) -> BacktestOut:
    return BacktestOut(
        days=found.days,
        asked=found.asked,
        is_cut=found.is_cut,
        hits=found.hits,
        differing=found.differing,
        let_through=found.let_through,
        before=dict(found.before),
        after=dict(found.after),
        differences=[
            DifferenceOut(
                proposal=one.proposal_id,
                title=one.title,
                status=one.status,
                before=one.was,
                before_policy=one.before.policy,
                after=one.would,
                after_policy=one.after.policy,
            )
            for one in found.differences
        ],
    )
