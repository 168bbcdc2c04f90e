"""The page on which a workspace sets the guards of a workflow, with what each limit costs."""

from collections.abc import Mapping
from datetime import UTC, datetime

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from agents import workflows
from agents.guards import RULES, Number, Setting, settled
from agents.operations.guard_setting import GuardSetting, GuardsInvalid, set_guards
from agents.showing import guard_settings as showing
from agents.verdicts import STRENGTHS
from console.errors import NotFound
from console.pages import WorkspaceRequest, workspace_view

_LONGEST = 20


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view("see")
def guard_settings(request: WorkspaceRequest, name: str) -> HttpResponse:
    """Show how the guards of a workflow are set; asked for with a reason, set them anew."""
    if request.method != "POST":
        return _page(request, name)
    try:
        setting = _typed(name, request.POST.dict())
        changed = set_guards(
            actor=request.actor,
            workflow=name,
            setting=setting,
            reason=request.POST.get("reason", ""),
            now=datetime.now(UTC),
        )
    except GuardsInvalid as refused:
        return _page(request, name, refused)
    said = "The guards are set. Runs go by them from their next step at a worker on."
    messages.info(request, said if changed else "Everything is set so already.")
    return redirect("agents:guard_settings", request.workspace.slug, name)


def _page(
    request: WorkspaceRequest, name: str, refused: GuardsInvalid | None = None
) -> HttpResponse:
    typed = request.POST.dict() if refused else {}
    now = datetime.now(UTC)
    shown = showing.guard_settings(request.workspace, request.actor, name, now=now, typed=typed)
    field = str(refused.details.get("field", "")) if refused else ""
    context = {
        **shown,
        "refused": refused,
        "refused_field": field,
        "refused_rule": RULES.get(field),
        "reason": typed.get("reason", ""),
    }
    status = refused.status if refused else 200
    return render(request, "agents/guard_settings.html", context, status=status)


def _typed(name: str, form: Mapping[str, str]) -> GuardSetting:
    """Read the form. What is as declared is not kept, so that it follows the workflow.

    Raises: NotFound (404), GuardsInvalid (422).
    """
    known = workflows.find(name)
    if known is None:
        raise NotFound
    if form.get("reset"):
        return GuardSetting()
    declared = settled(known.guards)
    typed = {rule: _setting(rule, form, declared[rule]) for rule in RULES}
    at_once = _number("at_once", form.get("at_once", ""))
    if isinstance(at_once, float):
        raise GuardsInvalid("Runs are counted in whole numbers.", field="at_once")
    return GuardSetting(showing.layer_of(declared, typed), at_once)


def _setting(rule: str, form: Mapping[str, str], declared: Setting) -> Setting:
    written = form.get(f"{rule}.limit")
    limit = declared.limit if written is None else _number(rule, written)
    strength = form.get(f"{rule}.strength", declared.strength)
    if strength not in STRENGTHS:
        raise GuardsInvalid(f"A strength is one of {', '.join(STRENGTHS)}.", field=rule)
    return Setting(limit, strength)


def _number(field: str, written: str) -> Number | None:
    text = written.strip().replace(",", ".")
    if not text:
        return None
    try:
        found = float(text[:_LONGEST])
    except ValueError as error:
        raise GuardsInvalid("A limit is a number above 0, or nothing.", field=field) from error
    return int(found) if found.is_integer() else found
