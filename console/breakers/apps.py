"""How dependencies that fail are left alone for a while, by all processes alike."""

from django.apps import AppConfig


class BreakersConfig(AppConfig):
    """Circuit breakers, shared through the database."""

    name = "console.breakers"
    label = "breakers"
