"""Packs: workflows, action types and effects for one field of work each."""

from agents.packs import care, finance, recorded


def load() -> None:
    """Register what the packs that ship with the console bring."""
    for pack in (recorded, finance, care):
        pack.register()
