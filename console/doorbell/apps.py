"""How work is announced without trusting the messenger: the outbox and its relay."""

from django.apps import AppConfig


class DoorbellConfig(AppConfig):
    """The outbox."""

    name = "console.doorbell"
    label = "doorbell"
