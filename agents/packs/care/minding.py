"""What does the pharmacist keep in mind about a patient from one job to the next?

How well the kidneys work, because nearly every dose depends on it, for a week and only as long as
the chart says so; and what the ward decided, for a stay.
"""

import contextlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from agents.workflows import Context, Outcome, ToolFailed
from console.canonical import Json
from snapshots import pointer

WEEK, STAY = timedelta(days=7), timedelta(days=30)
_WHY = "What was measured and decided for this patient before"
_DECIDED = ("approved", "rejected")


def known(context: Context, *, agent: str, patient: str) -> dict[str, Json]:
    """Return what is kept in mind about a patient, by subject."""
    found = context.recall(agent=agent, subject=f"{patient} ", why=_WHY)
    return {each.subject: each.value for each in found}


def keep_clearance(
    context: Context,
    *,
    agent: str,
    patient: str,
    chart: Mapping[str, Any],
    before: Mapping[str, Json],
) -> None:
    """Keep how well a patient's kidneys work, unless just that is known."""
    subject, value = f"{patient} clearance", chart["clearance_ml_min"]
    if before.get(subject) != value:
        # A memory that is full is no reason to leave the errand undone.
        with contextlib.suppress(ToolFailed):
            context.remember(
                agent=agent,
                subject=subject,
                value=value,
                expires_in=WEEK,
                derived_from=[pointer.build(("patients", patient, "clearance_ml_min"))],
            )


def keep_decision(
    context: Context, *, agent: str, patient: str, action: Mapping[str, Any], outcome: Outcome
) -> None:
    """Keep what people decided for a patient, for a stay."""
    if outcome.status in _DECIDED:
        with contextlib.suppress(ToolFailed):
            context.remember(
                agent=agent,
                subject=f"{patient} {action['action_type']}",
                value={"params": action["params"], "ended": outcome.status, "said": outcome.reason},
                confidence=0.9,
                expires_in=STAY,
            )
