"""Who answers: policies, proposals, decisions, executions."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """Proposals and what people say to them."""

    name = "approvals"

    def ready(self) -> None:
        """Make known the one effect that every workspace has."""
        from approvals import recovering  # noqa: PLC0415  (like the packs, once apps are ready)

        recovering.install()
