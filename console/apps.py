"""The console as a whole."""

from django.apps import AppConfig

from console import reporting


class ConsoleConfig(AppConfig):
    """What every process does first."""

    name = "console"

    def ready(self) -> None:
        """Begin to report, where that was asked for."""
        reporting.begin()
