"""Accounts payable: invoices, payments, vendors' records and ledger postings.

A demo world of an invented company. One of its requests is not what it seems; no check says so.
"""

from pathlib import Path

from agents.packs.errands import GUARDS
from agents.packs.finance import working
from agents.packs.finance.declaring import ACTION_TYPES, EFFECTS, POLICIES, STARTER
from agents.packs.finance.reading import READS
from agents.packs.finance.staffing import PREPARED, ROLES
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

SLUG, NAME = "brackwater-finance", "Brackwater Instruments: Finance"
STATE_KEY = "ledger/accounts-payable"
WORKFLOW = "accounts_payable"
LIST_KEYS = {
    "/mailbox": "id",
    "/purchase_orders/*/lines": "line",
    "/goods_receipts/*/lines": "line",
}
DEMO_JOBS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Nordlicht Optik: new account, then payment", ("bank-nordlicht", "pay-nordlicht")),
    ("Halden Paper: October statement", ("pay-halden",)),
    ("Wendt: invoice above its order", ("pay-wendt",)),
    ("Ostfjord Sensorikk: change of bank", ("bank-ostfjord",)),
    ("Month end: postings and terms", ("post-lumen", "terms-kestrel")),
    ("Roche-Vigne: invoice sent twice?", ("hold-duplicate",)),
)
OUTSIDE = (
    Change("replace", "/vendors/V-1007/contact/name", "Reto Zumkehr", "Livia Hunziker"),
    Change(
        "replace",
        "/vendors/V-1007/contact/email",
        "debitoren@tessera-druckluft.example",
        "rechnungen@tessera-druckluft.example",
    ),
    Change("replace", "/vendors/V-1003/terms/days", 30, 14),
)


def register() -> None:
    """Make the effects and the workflow known."""
    for name, effect in EFFECTS.items():
        effects.register(name, effect)
    starters.offer(STARTER)
    register_workflow(
        Workflow(
            WORKFLOW,
            "Accounts payable",
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
    """Return what the company's own vendor file says: somebody has edited it there since."""
    return apply(document(), OUTSIDE)
