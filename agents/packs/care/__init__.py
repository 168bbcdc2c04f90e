"""Medication orders of a hospital ward: doses, routes, starts and stops.

A demo world of an invented ward. One of its proposals is dangerous; no check says so.
"""

from pathlib import Path

from agents.packs.care import working
from agents.packs.care.declaring import ACTION_TYPES, EFFECTS, POLICIES
from agents.workflows import Workflow, register_workflow
from approvals import effects
from console.canonical import Json, parse

__all__ = [
    "ACTION_TYPES",
    "DEMO_JOBS",
    "LIST_KEYS",
    "NAME",
    "POLICIES",
    "SLUG",
    "STATE_KEY",
    "WORKFLOW",
    "document",
    "register",
]

SLUG, NAME = "st-brigid-ward", "St Brigid: Ward 4"
STATE_KEY = "ward/medication-orders"
WORKFLOW = "medication_orders"
LIST_KEYS = {"/messages": "id", "/patients/*/allergies": "substance"}
DEMO_JOBS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Bed 4: cardiology consult", ("digoxin", "potassium")),
    ("Bed 3: kidney function falls", ("stop-ibuprofen",)),
    ("Bed 1: thrombosis prophylaxis", ("enoxaparin",)),
    ("Bed 5: from infusion to tablets", ("metronidazole",)),
    ("Bed 6: pain and gentamicin", ("morphine", "gentamicin")),
    ("Bed 2: corrected weight", ("paracetamol",)),
)


def register() -> None:
    """Make the effects and the workflow known."""
    for name, effect in EFFECTS.items():
        effects.register(name, effect)
    register_workflow(Workflow(WORKFLOW, "Medication orders", working.work, working.INPUT_SCHEMA))


def document() -> Json:
    """Return the record as it stands before anybody worked on it."""
    return parse(Path(__file__).with_name("world.json").read_bytes())
