"""Addresses of the queue and of proposals."""

from django.urls import path

from approvals.views import attention as attending
from approvals.views import doubt as doubting
from approvals.views import (
    editing,
    emergencies,
    evidence,
    handling,
    policies,
    reconciling,
    signing,
    talking,
)
from approvals.views import outside as leaving
from approvals.views import people as administering
from approvals.views import proposals as views
from approvals.views import queue as queueing
from approvals.views import reviews as reviewing

app_name = "approvals"
_PROPOSAL = "proposals/<uuid:proposal_id>/"
_OUTSIDE = "outside/<uuid:execution_id>/"
urlpatterns = [
    path("queue/", queueing.queue, name="queue"),
    path("queue/decide/", queueing.queue_decide, name="queue_decide"),
    path("queue/<uuid:proposal_id>/claim/", queueing.queue_claim, name="queue_claim"),
    path("queue/<uuid:proposal_id>/release/", queueing.queue_release, name="queue_release"),
    path("attention/", attending.attention, name="attention"),
    path("people/", administering.authority, name="authority"),
    path("people/authority/", administering.authority_grant, name="authority_grant"),
    path(
        "people/authority/<uuid:limit_id>/take-back/",
        administering.authority_take_back,
        name="authority_take_back",
    ),
    path("people/away/", administering.away, name="away"),
    path("people/away/<uuid:delegation_id>/end/", administering.away_end, name="away_end"),
    path("policies/", policies.policies, name="policies"),
    path("policies/rule/", policies.policy, name="policy"),
    path("policies/shadow/", policies.policy_shadow, name="policy_shadow"),
    path("policies/edit/", policies.policy_edit, name="policy_edit"),
    path("policies/change/", policies.policy_change, name="policy_change"),
    path("policies/adopt/", policies.policy_adopt, name="policy_adopt"),
    path("reviews/", reviewing.reviews, name="reviews"),
    path("reviews/<uuid:review_id>/", reviewing.review, name="review"),
    path("outside/", leaving.outside, name="outside"),
    path("outside/sending/", leaving.sending_stop, name="sending_stop"),
    path("outside/sending/resume/", leaving.sending_resume, name="sending_resume"),
    path("outside/connectors/", leaving.connectors, name="connectors"),
    path(
        "outside/connectors/<uuid:connector_id>/test/",
        leaving.connector_test,
        name="connector_test",
    ),
    path("outside/reconciliation/", reconciling.reconciliation, name="reconciliation"),
    path("outside/reconciliation/compare/", reconciling.compare, name="reconciliation_compare"),
    path(
        "outside/discrepancies/<uuid:discrepancy_id>/close/",
        reconciling.discrepancy_close,
        name="discrepancy_close",
    ),
    path(_OUTSIDE, doubting.outside_detail, name="outside_detail"),
    path(f"{_OUTSIDE}resolve/", doubting.outside_resolve, name="outside_resolve"),
    path(f"{_OUTSIDE}take-over/", doubting.outside_take_over, name="outside_take_over"),
    path(f"{_OUTSIDE}ask/", doubting.outside_ask, name="outside_ask"),
    path(f"{_OUTSIDE}try-again/", doubting.outside_try_again, name="outside_try_again"),
    path(f"{_OUTSIDE}drop/", doubting.outside_drop, name="outside_drop"),
    path(f"{_OUTSIDE}undo-again/", doubting.outside_undo_again, name="outside_undo_again"),
    path("settled/", queueing.settled, name="settled"),
    path("proposals/<uuid:proposal_id>/", views.proposal_detail, name="proposal_detail"),
    path("proposals/<uuid:proposal_id>/raw/", views.proposal_raw, name="proposal_raw"),
    path("proposals/<uuid:proposal_id>/decide/", views.proposal_decide, name="proposal_decide"),
    path(
        "proposals/<uuid:proposal_id>/passkey/", signing.proposal_passkey, name="proposal_passkey"
    ),
    path("proposals/<uuid:proposal_id>/recall/", views.proposal_recall, name="proposal_recall"),
    path("proposals/<uuid:proposal_id>/rebase/", views.proposal_rebase, name="proposal_rebase"),
    path(f"{_PROPOSAL}evidence.json", evidence.evidence_json, name="evidence_json"),
    path(f"{_PROPOSAL}evidence.pdf", evidence.evidence_pdf, name="evidence_pdf"),
    path(f"{_PROPOSAL}unchanged/", views.proposal_unchanged, name="proposal_unchanged"),
    path(f"{_PROPOSAL}comment/", talking.proposal_comment, name="proposal_comment"),
    path(f"{_PROPOSAL}ask/", talking.proposal_ask, name="proposal_ask"),
    path(f"{_PROPOSAL}answer/", talking.proposal_answer, name="proposal_answer"),
    path(f"{_PROPOSAL}take-back/", talking.proposal_take_back, name="proposal_take_back"),
    path(f"{_PROPOSAL}claim/", handling.proposal_claim, name="proposal_claim"),
    path(f"{_PROPOSAL}release/", handling.proposal_release, name="proposal_release"),
    path(f"{_PROPOSAL}assign/", handling.proposal_assign, name="proposal_assign"),
    path(f"{_PROPOSAL}snooze/", handling.proposal_snooze, name="proposal_snooze"),
    path(f"{_PROPOSAL}edit/", editing.proposal_edit, name="proposal_edit"),
    path(
        f"{_PROPOSAL}break-glass/",
        emergencies.proposal_break_glass,
        name="proposal_break_glass",
    ),
]
