"""Who works: workflows, runs, the journal and trace."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """Agents and what they do; the packs that ship with the console."""

    name = "agents"

    def ready(self) -> None:
        """Load the packs, so that their workflows and effects are known in every process."""
        from agents import direct, packs  # noqa: PLC0415  (apps are ready only now)
        from agents.showing.board import halt_banner  # noqa: PLC0415
        from agents.showing.pauses import offer, waiting  # noqa: PLC0415
        from approvals.showing import beside  # noqa: PLC0415
        from console.pages import announce, count_beside  # noqa: PLC0415

        direct.register()
        packs.load()
        announce(halt_banner)
        beside.offer(offer)
        count_beside("agents:run_list", waiting)
