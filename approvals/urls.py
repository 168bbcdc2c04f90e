"""Addresses of the queue and of proposals."""

from django.urls import path

from approvals.views import proposals as views

app_name = "approvals"
urlpatterns = [
    path("queue/", views.queue, name="queue"),
    path("settled/", views.settled, name="settled"),
    path("proposals/<uuid:proposal_id>/", views.proposal_detail, name="proposal_detail"),
    path("proposals/<uuid:proposal_id>/raw/", views.proposal_raw, name="proposal_raw"),
    path("proposals/<uuid:proposal_id>/decide/", views.proposal_decide, name="proposal_decide"),
    path("proposals/<uuid:proposal_id>/recall/", views.proposal_recall, name="proposal_recall"),
    path("proposals/<uuid:proposal_id>/rebase/", views.proposal_rebase, name="proposal_rebase"),
]
