"""Which parts of the console are alive, as the rows say?"""

from django.apps import AppConfig


class PulseConfig(AppConfig):
    """The heartbeats."""

    name = "console.pulse"
    label = "pulse"
