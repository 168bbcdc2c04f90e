"""What things looked like: states, snapshots, diff."""

from django.apps import AppConfig


class SnapshotsConfig(AppConfig):
    """Versioned state."""

    name = "snapshots"
