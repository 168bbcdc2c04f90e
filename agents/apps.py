"""Who works: workflows, runs, the journal and trace."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """Agents and what they do; the packs that ship with the console."""

    name = "agents"

    def ready(self) -> None:
        """Load the packs, so that their workflows and effects are known in every process."""
        from agents import packs  # noqa: PLC0415  (apps are ready only now)
        from agents.showing.board import halt_banner  # noqa: PLC0415
        from console.pages import announce  # noqa: PLC0415

        packs.load()
        announce(halt_banner)
