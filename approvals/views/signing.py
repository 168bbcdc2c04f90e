"""What comes with a signed decision: the proof of who it is, from a form or from a passkey."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Protocol, cast
from uuid import UUID

from django.http import HttpRequest, JsonResponse, QueryDict
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from approvals import packing
from approvals.operations.deciding import Seen
from approvals.operations.signing import Prepared, RenderingChanged, prepare
from console.access.operations import stepping_up
from console.access.operations.stepping_up import NoSecondFactor
from console.access.queries import factor_kinds
from console.errors import Invalid, Refused
from console.pages import WorkspaceRequest, workspace_view

BREAKING_GLASS = "break_glass"
_KEPT = "step_ups"
_ASSERTION_AT_MOST = 20_000


class Asked(Protocol):
    """What of a proposal says whether it is signed."""

    @property
    def id(self) -> UUID:
        """Return which one it is."""

    @property
    def level(self) -> int:
        """Return how much its terms ask of a reviewer."""


def stepped_up(request: WorkspaceRequest, proposal: Asked, seen: Seen, choice: str) -> UUID | None:
    """Return the proof that a form brings for a decision, or nothing where it brings none.

    A proof that was not used yet, because something else was missing, is good for the same
    decision until it is too old. Raises: StepUpFailed (403), StepUpLocked (429),
    NoSecondFactor (409), RenderingChanged (412), MeaningUnknown (422).
    """
    if not (choice == BREAKING_GLASS or packing.is_signed(proposal.level, choice)):
        return None
    person, now = UUID(request.actor.id), datetime.now(UTC)
    prepared = _prepared(request, proposal.id, seen, choice, now)
    if kept := _kept(request, person, prepared, now):
        return kept
    proof = _proven(request.POST, person, prepared, now)
    if proof is not None:
        about = str(prepared.about.get("meaning", ""))
        request.session[_KEPT] = {prepared.purpose: [str(proof), about]}
    return proof


@sensitive_post_parameters()
@require_POST
@workspace_view("decide")
def proposal_passkey(request: WorkspaceRequest, proposal_id: UUID) -> JsonResponse:
    """Say what a passkey has to sign for the decision that a form holds."""
    seen = Seen(0, request.POST.get("digest", ""))
    choice = request.POST.get("choice", "")
    now = datetime.now(UTC)
    try:
        prepared = _prepared(request, proposal_id, seen, choice, now)
        options = stepping_up.begin_passkey(
            person=UUID(request.actor.id),
            purpose=prepared.purpose,
            host=host_of(request),
            now=now,
            over=prepared.challenge,
            about=prepared.about,
        )
    except Refused as refused:
        return JsonResponse(refused.problem(), status=refused.status)
    return JsonResponse(options, status=HTTPStatus.OK)


def host_of(request: HttpRequest) -> str:
    """Return the name under which the console is open, without its port."""
    return request.get_host().partition(":")[0]


def _prepared(
    request: WorkspaceRequest, proposal_id: UUID, seen: Seen, choice: str, now: datetime
) -> Prepared:
    form = request.POST
    prepared = prepare(
        actor=request.actor,
        proposal_id=proposal_id,
        revision_digest=seen.digest,
        choice=choice,
        meaning=form.get("meaning", ""),
        now=now,
    )
    shown = form.get("rendering", "")
    if shown and shown != prepared.about.get("render_digest", shown):
        raise RenderingChanged
    return prepared


def _kept(
    request: WorkspaceRequest, person: UUID, prepared: Prepared, now: datetime
) -> UUID | None:
    proof, meaning = request.session.get(_KEPT, {}).get(prepared.purpose, ("", ""))
    if not proof or meaning != prepared.about.get("meaning", ""):
        return None
    step_up = UUID(proof)
    fresh = stepping_up.is_fresh(step_up=step_up, person=person, purpose=prepared.purpose, now=now)
    return step_up if fresh else None


def _proven(form: QueryDict, person: UUID, prepared: Prepared, now: datetime) -> UUID | None:
    if answer := form.get("passkey", ""):
        return stepping_up.step_up_with_passkey(
            person=person, purpose=prepared.purpose, assertion=_assertion(answer), now=now
        )
    if not {"totp", "webauthn"} & factor_kinds(person):
        raise NoSecondFactor
    if not (form.get("password") or form.get("code")):
        return None
    return stepping_up.step_up(
        person=person,
        purpose=prepared.purpose,
        password=form.get("password", ""),
        code=form.get("code", ""),
        now=now,
        about=prepared.about,
    )


def _assertion(text: str) -> Mapping[str, Any]:
    try:
        answer = json.loads(text[:_ASSERTION_AT_MOST])
    except (ValueError, RecursionError) as error:
        raise Invalid("A passkey's answer is JSON.", field="passkey") from error
    if not isinstance(answer, dict):
        raise Invalid("A passkey's answer is a JSON object.", field="passkey")
    return cast("dict[str, Any]", answer)
