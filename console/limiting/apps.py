"""How much may one token, one address and one workspace ask for?"""

from django.apps import AppConfig


class LimitingConfig(AppConfig):
    """The buckets."""

    name = "console.limiting"
    label = "limiting"
