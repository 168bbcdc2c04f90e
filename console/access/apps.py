"""Who may enter: workspaces, people, memberships and tokens."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Tenants, people, rights and tokens."""

    name = "console.access"
    label = "access"
