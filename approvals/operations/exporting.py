"""Note in the ledger that somebody took the evidence of a proposal with them."""

from uuid import UUID

from django.db import transaction

from console.actors import Actor
from console.ledger.operations.appending import append


def note_export(*, actor: Actor, proposal_id: UUID, digest: str, form: str) -> None:
    """Write who took which pack; its digest says what they saw."""
    with transaction.atomic():
        body = {"digest": digest, "form": form}
        append(actor, "evidence.exported", f"proposal:{proposal_id}", {**body})
