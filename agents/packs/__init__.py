"""Packs: workflows, action types and effects for one field of work each."""

from agents.packs import attacked, care, finance, recorded


def load() -> None:
    """Register what the packs that ship with the console bring."""
    for pack in (recorded, attacked, finance, care):
        pack.register()
