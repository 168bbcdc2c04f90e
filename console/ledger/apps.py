"""What was done, by whom: the append-only, hash-chained record."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """The record of what was done by whom."""

    name = "console.ledger"
    label = "ledger"
