"""The page of budgets: what the agents of a workspace use in a day, and how much they may."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from agents.operations.budgeting import (
    MONEY_DECIMALS,
    REASON_AT_MOST,
    Budget,
    LimitsInvalid,
    set_budget,
)
from agents.queries import budgets as queries
from agents.showing import budgets
from console.pages import WorkspaceRequest, workspace_view


class BudgetForm(forms.Form):
    """How much is enough for a day; what is left empty has no end."""

    runs = forms.IntegerField(required=False, min_value=1, label="Jobs a day")
    tokens = forms.IntegerField(required=False, min_value=1, label="Tokens a day")
    money = forms.DecimalField(
        required=False, decimal_places=MONEY_DECIMALS, max_digits=14, label="Money a day, USD"
    )
    at_once = forms.IntegerField(required=False, min_value=1, label="Runs at the same time")
    reason = forms.CharField(max_length=REASON_AT_MOST, label="Why")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Let labels end without a colon."""
        super().__init__(*args, **kwargs)
        self.label_suffix = ""

    @property
    def budget(self) -> Budget:
        """Return what was typed."""
        typed = self.cleaned_data
        return Budget(typed["tokens"], typed["money"], typed["runs"], typed["at_once"])


@require_GET
@workspace_view("see")
def budget_detail(request: WorkspaceRequest) -> HttpResponse:
    """Show what was used today and in the days before, and the limits."""
    return _page(request, BudgetForm(initial=_known(request)))


@require_POST
@workspace_view("administer")
def budget_set(request: WorkspaceRequest) -> HttpResponse:
    """Set the limits of the workspace, all of them together."""
    form = BudgetForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    reason, now = form.cleaned_data["reason"], datetime.now(UTC)
    try:
        set_budget(actor=request.actor, budget=form.budget, reason=reason, now=now)
    except LimitsInvalid as refused:
        form.add_error(str(refused.details["field"]), refused.sentence)
        return _page(request, form, status=422)
    messages.info(request, "The budget is set. It counts from now on.")
    return redirect("agents:budgets", request.workspace.slug)


def _known(request: WorkspaceRequest) -> dict[str, Any]:
    row = queries.budget(request.workspace.id)
    if row is None:
        return {}
    money = None if row.money is None else f"{row.money.normalize():f}"
    return {"tokens": row.tokens, "money": money, "runs": row.runs, "at_once": row.at_once}


def _page(request: WorkspaceRequest, form: BudgetForm, status: int = 200) -> HttpResponse:
    shown = budgets.page(request.workspace, request.actor, datetime.now(UTC))
    return render(request, "agents/budgets.html", {**shown, "form": form}, status=status)
