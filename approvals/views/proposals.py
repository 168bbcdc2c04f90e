"""Pages of one proposal, and the act of deciding."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast, get_args
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from approvals import queries
from approvals.attentive import noticed
from approvals.fields import rows
from approvals.operations.answering_canaries import answer_canary, answered
from approvals.operations.deciding import Act, Incomplete, Seen, decide
from approvals.operations.rebasing import rebase
from approvals.operations.recalling import recall
from approvals.operations.reevaluating import reevaluate
from approvals.operations.viewing import note
from approvals.policy import Choice
from approvals.queries import Detail, canaries
from approvals.showing import drafts, unchanged
from approvals.showing.deciding import Typed, decision
from approvals.showing.difference import record
from approvals.showing.reading import reader
from approvals.views.answering import found, page, refusal, reply, to_detail
from approvals.views.signing import stepped_up
from console.access.operations.stepping_up import StepUpFailed, StepUpLocked, StepUpRequired
from console.canonical import Json
from console.errors import Conflict, Invalid, NotFound, Refused
from console.pages import WorkspaceRequest, workspace_view

_DRAFT = "draft"
_DIGITS_AT_MOST = 9
_ATTENTION = ("visible_seconds", "hidden_seconds", "reached_end", "evidence_opened")
_NOT_PROVEN = (StepUpRequired, StepUpFailed, StepUpLocked)


@require_GET
@workspace_view("see")
def proposal_detail(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Show what exactly would happen, and the place to decide on it."""
    try:
        who = reader(queries.detail(request.workspace.id, proposal_id), request.actor)
    except NotFound:
        return _planted(request, proposal_id)
    number, now = who.found.revision.number, datetime.now(UTC)
    looked_at = note(actor=request.actor, proposal_id=proposal_id, revision=number, now=now)
    typed = drafts.opened(who.found, request.session.pop(_DRAFT, None))
    return page(request, who, decision(who, typed=typed), looked_at=looked_at)


@require_GET
@workspace_view("see")
def proposal_raw(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Show the sealed bytes that decisions are bound to, as JSON."""
    asked = request.GET.get("revision", "")
    number = revision_of(asked) if asked else None
    revision = queries.sealed(request.workspace.id, proposal_id, number)
    context = {
        "proposal_id": proposal_id,
        "revision": revision,
        "sealed": json.loads(bytes(revision.sealed)),
        "params": revision.params,
    }
    return render(request, "approvals/proposal_raw.html", context)


@require_GET
@workspace_view("see")
def proposal_unchanged(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Show what stands beside what would change, and stays as it is."""
    shown = found(request, proposal_id).found
    fields = unchanged.fields(shown, record(shown).before)
    whole, part = "approvals/proposal_unchanged.html", "approvals/_unchanged.html"
    context = {"proposal": shown.proposal, "fields": fields}
    return render(request, part if request.htmx else whole, context)


@sensitive_post_parameters("password", "code")
@require_POST
@workspace_view("decide")
def proposal_decide(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Record a decision on exactly the wording that the form was shown for."""
    typed = _typed(request.POST)
    try:
        _refuse_unstorable(typed)
        act = _act(request, proposal_id, typed)
        if canaries.mine(request.workspace.id, UUID(request.actor.id), proposal_id):
            answer_canary(
                actor=request.actor, canary_id=proposal_id, act=act, now=datetime.now(UTC)
            )
            return to_detail(request, proposal_id)
        decide(
            proposal_id=proposal_id,
            seen=Seen(typed.revision, typed.digest),
            actor=request.actor,
            act=act,
            now=datetime.now(UTC),
        )
    except (Conflict, Invalid, *_NOT_PROVEN) as refused:
        return _refused(request, proposal_id, typed, refused)
    return _done(request, proposal_id)


@require_POST
@workspace_view("decide")
def proposal_recall(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Take an approval back while it is held."""
    reason = request.POST.get("reason", "")
    try:
        recall(actor=request.actor, proposal_id=proposal_id, reason=reason, now=datetime.now(UTC))
    except (Conflict, Invalid) as refused:
        return refusal(request, proposal_id, None, refused)
    return to_detail(request, proposal_id)


@require_POST
@workspace_view("decide")
def proposal_rebase(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Load the new diff: previewed on the newest snapshot, under the policies as they are now.

    What was typed is kept; a tick only where what it stands for says the same.
    """
    now = datetime.now(UTC)
    rebase(actor=request.actor, proposal_id=proposal_id, now=now)
    reevaluate(actor=request.actor, proposal_id=proposal_id, now=now)
    request.session[_DRAFT] = drafts.kept(proposal_id, _typed(request.POST))
    return to_detail(request, proposal_id)


def _planted(request: WorkspaceRequest, canary_id: UUID) -> HttpResponse:
    """Show a canary like any proposal until it is answered, and then what was wrong with it.

    Raises: NotFound (404) where it is nothing of this person's either.
    """
    row = canaries.canary(request.workspace.id, UUID(request.actor.id), canary_id)
    if row.answered_at is not None:
        context = {"canary": row, "answered": answered(row)}
        return render(request, "approvals/canary.html", context)
    who = reader(canaries.detail_of(row), request.actor)
    typed = drafts.opened(who.found, request.session.pop(_DRAFT, None))
    return page(request, who, decision(who, typed=typed))


def _typed(form: QueryDict) -> Typed:
    return Typed(
        revision=revision_of(form.get("revision", "0")),
        digest=form.get("digest", ""),
        choice=form.get("choice", ""),
        reason=form.get("reason", ""),
        reason_code=form.get("reason_code", ""),
        ticked=tuple(form.getlist("ticked")),
        rows=tuple(form.getlist("rows")),
        fact=form.get("fact", ""),
        meaning=form.get("meaning", ""),
        stands_for=form.get("stands_for", ""),
    )


def revision_of(text: str) -> int:
    """Read the number of a revision from a form. Raises: Invalid (422)."""
    if not (text.isascii() and text.isdecimal()) or len(text) > _DIGITS_AT_MOST:
        raise Invalid("A revision is a whole number.", field="revision")
    return int(text)


def _refuse_unstorable(typed: Typed) -> None:
    texts = (typed.reason, typed.reason_code, typed.fact, typed.meaning, *typed.ticked)
    if any("\0" in text for text in texts):
        raise Incomplete("A text here cannot hold the character NUL.", field="reason")


def _act(request: WorkspaceRequest, proposal_id: UUID, typed: Typed) -> Act:
    choice = _choice(typed)
    shown = found(request, proposal_id).found
    asked = shown.proposal
    seen = Seen(typed.revision, typed.digest)
    return Act(
        choice=choice,
        reason=typed.reason,
        reason_code=typed.reason_code,
        ticked=typed.ticked,
        fact=typed.fact,
        meaning=typed.meaning,
        step_up=stepped_up(request, asked, seen, choice),
        stands_for=_person(typed.stands_for),
        attention=_attention(request.POST, shown),
    )


def _choice(typed: Typed) -> Choice:
    if typed.choice not in get_args(Choice):
        sentence = "Choose to approve, to reject or to request changes."
        raise Incomplete(sentence, field="choice")
    return cast("Choice", typed.choice)


def _person(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise Invalid("A person is named by an id.", field="stands_for") from error


def _attention(form: QueryDict, shown: Detail) -> Mapping[str, Json]:
    """Return what the page noticed, as far as it makes sense; a page without a script says none."""
    reported = {name: form.get(name, "") for name in _ATTENTION}
    return noticed(reported, len(rows(shown.changes, shown.fields, None, None)))


def _refused(
    request: WorkspaceRequest, proposal_id: UUID, typed: Typed, refused: Refused
) -> HttpResponse:
    # HTMX swaps nothing for these: the form stays as it was typed, and a card says why.
    if request.htmx and isinstance(refused, _NOT_PROVEN):
        raise refused
    return refusal(request, proposal_id, replace(typed, choice=""), refused)


def _done(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    if not request.htmx:
        messages.success(request, "Your decision is recorded.")
        return to_detail(request, proposal_id)
    who = found(request, proposal_id)
    return reply(request, who, {**decision(who), "has_just_decided": True})
