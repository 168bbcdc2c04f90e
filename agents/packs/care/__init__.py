"""Medication orders of a hospital ward: doses, routes, starts and stops.

A demo world of an invented ward. One of its proposals is dangerous; no check says so.
"""

from pathlib import Path

from agents.packs.care import working
from agents.packs.care.declaring import ACTION_TYPES, EFFECTS, POLICIES, STARTER
from agents.packs.care.reading import READS
from agents.packs.care.staffing import PREPARED, ROLES
from agents.packs.errands import GUARDS
from agents.workflows import Workflow, register_workflow
from approvals import effects, starters
from console.canonical import Json, parse
from snapshots.diff import Change, apply

__all__ = [
    "ACTION_TYPES",
    "DEMO_JOBS",
    "LIST_KEYS",
    "NAME",
    "OUTSIDE",
    "POLICIES",
    "SLUG",
    "STATE_KEY",
    "WORKFLOW",
    "document",
    "outside",
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
OUTSIDE = (
    Change("replace", "/patients/P-206/clearance_ml_min", 58, 44),
    Change("replace", "/patients/P-205/weight_kg", "69.0", "67.5"),
)


def register() -> None:
    """Make the effects and the workflow known."""
    for name, effect in EFFECTS.items():
        effects.register(name, effect)
    starters.offer(STARTER)
    register_workflow(
        Workflow(
            WORKFLOW,
            "Medication orders",
            working.work,
            working.INPUT_SCHEMA,
            working.asked,
            roles=ROLES,
            guards=GUARDS,
            expects=working.expects,
            tools=tuple(READS.values()),
            proposes=PREPARED,
        )
    )


def document() -> Json:
    """Return the record as it stands before anybody worked on it."""
    return parse(Path(__file__).with_name("world.json").read_bytes())


def outside() -> Json:
    """Return what the hospital's own chart says: two values were measured again since."""
    return apply(document(), OUTSIDE)
