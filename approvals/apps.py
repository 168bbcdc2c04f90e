"""Who answers: policies, proposals, decisions, executions."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """Proposals and what people say to them."""

    name = "approvals"

    def ready(self) -> None:
        """Make known the effects that every workspace has."""
        # Like the packs, once apps are ready.
        from approvals import amending, recovering, starters  # noqa: PLC0415
        from approvals.showing.outside import sending_banner, waiting  # noqa: PLC0415
        from approvals.showing.owing import glass_banner  # noqa: PLC0415
        from approvals.showing.reading import kept_from  # noqa: PLC0415
        from console.ledger.showing import veil  # noqa: PLC0415
        from console.pages import announce, count_beside  # noqa: PLC0415

        amending.install()
        recovering.install()
        starters.offer(starters.CAREFUL)
        announce(glass_banner)
        announce(sending_banner)
        count_beside("approvals:outside", waiting)
        veil(kept_from)
