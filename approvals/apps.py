"""Who answers: policies, proposals, decisions, executions."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """Proposals and what people say to them."""

    name = "approvals"
