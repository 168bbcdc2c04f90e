"""Pages of policies: which there are, how each does, and the form in which a change is put."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, cast, get_args

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from approvals import queries
from approvals.amending import Amendment
from approvals.operations.policing import PolicyInvalid, PolicyOutdated, propose_change
from approvals.operations.trying import try_out
from approvals.rulebook import Mode, Rule
from approvals.rulecheck import Fault
from approvals.showing import policies as showing
from approvals.showing.drafting import BLANK, Form, read, written
from approvals.starters import starter
from console.access.rights import allows
from console.errors import Invalid, NotFound, Refused
from console.pages import WorkspaceRequest, workspace_view

DAYS = 30
_DIGITS_AT_MOST = 9


@require_GET
@workspace_view("see")
def policies(request: WorkspaceRequest) -> HttpResponse:
    """Show which policy sends what to whom."""
    context = showing.listing(request.workspace.id, datetime.now(UTC))
    return render(request, "approvals/policies.html", {**context, **_rights(request)})


@require_GET
@workspace_view("see")
def policy(request: WorkspaceRequest) -> HttpResponse:
    """Show one policy, named in the query."""
    name = request.GET.get("name", "")
    context = showing.one(request.workspace.id, name, datetime.now(UTC))
    return render(request, "approvals/policy.html", {**context, **_rights(request)})


@require_GET
@workspace_view("see")
def policy_shadow(request: WorkspaceRequest) -> HttpResponse:
    """Show how well a policy agrees with what people decided."""
    context = showing.shadow(request.workspace.id, request.GET.get("name", ""))
    return render(request, "approvals/policy_shadow.html", {**context, **_rights(request)})


@require_http_methods(["GET", "POST"])
@workspace_view("policies")
def policy_edit(request: WorkspaceRequest) -> HttpResponse:
    """Let a policy be written, tried on what was proposed lately, and put before an admin."""
    if request.method == "POST":
        return _typed(request)
    name = request.GET.get("name", "")
    if not name:
        return _form(request, Form(BLANK), {"was": "", "version": 0})
    rule = _rule(request, name)
    form = Form(written(rule.to_json()))
    return _form(request, form, {"was": name, "version": rule.terms.version})


@require_POST
@workspace_view("policies")
def policy_change(request: WorkspaceRequest) -> HttpResponse:
    """Propose to remove or move a policy, or to put it into another mode."""
    typed = request.POST
    rule = _rule(request, typed.get("name", ""))
    named: dict[str, Any] = {"name": rule.name, "version": _number(typed.get("version", ""))}
    match typed.get("do"):
        case "remove":
            change = Amendment("remove", **named)
        case "move":
            change = Amendment("move", **named, before=typed.get("before", ""))
        case mode if mode in get_args(Mode):
            change = Amendment("put", {**rule.to_json(), "mode": mode}, **named)
        case _:
            raise Invalid("Say what to do with this policy.", field="do")
    return _propose(request, change)


@require_POST
@workspace_view("policies")
def policy_adopt(request: WorkspaceRequest) -> HttpResponse:
    """Propose to begin with the policies of a starter pack."""
    found = starter(request.POST.get("starter", ""))
    if found is None:
        raise NotFound("There is no such starter pack.")
    return _propose(request, Amendment("adopt", rules=tuple(r.to_json() for r in found.rules)))


def _typed(request: WorkspaceRequest) -> HttpResponse:
    typed = {name: request.POST.getlist(name) for name in request.POST}
    draft, around = read(typed), _around(request.POST)
    named: dict[str, Any] = {
        "name": around["was"],
        "version": around["version"] if around["was"] else 0,
    }
    change = Amendment("put", draft.rule, **named, before=around["before"])
    try:
        if request.POST.get("do") == "propose":
            return _propose(request, change)
        found = try_out(actor=request.actor, change=change, days=DAYS, now=datetime.now(UTC))
    except (PolicyInvalid, PolicyOutdated) as refused:
        form = Form(typed, _faults(refused), draft)
        return _form(request, form, {**around, "refused": refused}, status=refused.status)
    return _form(request, Form(typed), {**around, **showing.tried(found)})


def _around(typed: QueryDict) -> dict[str, Any]:
    return {
        "was": typed.get("was", ""),
        "version": _number(typed.get("version", "0")),
        "before": typed.get("before", ""),
        "reason": typed.get("reason", ""),
    }


def _faults(refused: Refused) -> list[Fault]:
    errors = cast("list[dict[str, Any]]", refused.details.get("errors", []))
    found = [
        Fault(each["field"], each["message"], each.get("line", 0), each.get("column", 0))
        for each in errors
    ]
    place = refused.details.get("field")
    if not found and isinstance(place, str):
        return [Fault(place, refused.sentence)]
    return found


def _form(
    request: WorkspaceRequest, form: Form, around: dict[str, Any], *, status: int = HTTPStatus.OK
) -> HttpResponse:
    known = [rule.name for rule in queries.policies(request.workspace.id).rules]
    others = [name for name in known if name != around["was"]]
    context = {"form": form.sections(), "others": others, "days": DAYS, **around}
    return render(request, "approvals/policy_edit.html", context, status=status)


def _propose(request: WorkspaceRequest, change: Amendment) -> HttpResponse:
    reason = request.POST.get("reason", "")
    made = propose_change(actor=request.actor, change=change, reason=reason, now=datetime.now(UTC))
    messages.success(request, "Proposed. Another admin has to agree before it is in force.")
    return redirect("approvals:proposal_detail", request.workspace.slug, made)


def _rule(request: WorkspaceRequest, name: str) -> Rule:
    for rule in queries.policies(request.workspace.id).rules:
        if rule.name == name:
            return rule
    raise NotFound("There is no policy of this name.")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > _DIGITS_AT_MOST:
        raise Invalid("A version is a whole number.", field="version")
    return int(text)


def _rights(request: WorkspaceRequest) -> dict[str, bool]:
    return {"can_change": allows(request.actor.roles, "policies")}
