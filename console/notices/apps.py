"""What happened, told to people by e-mail and to programs by signed webhooks."""

from django.apps import AppConfig


class NoticesConfig(AppConfig):
    """Notices of people, webhooks, and their deliveries."""

    name = "console.notices"
    label = "notices"
