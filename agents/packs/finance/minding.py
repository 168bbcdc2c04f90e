"""What does the invoice clerk keep in mind about a vendor from one job to the next?

Where it was paid to when somebody last looked, and what people decided about it. The first comes
from the record and goes when the record says something else; the second is old after a season.
"""

import contextlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from agents.workflows import Context, Outcome, ToolFailed
from console.canonical import Json
from snapshots import pointer

SEASON = timedelta(days=90)
_WHY = "What was seen and decided about this vendor before"
_DECIDED = ("approved", "rejected")


def known(context: Context, *, agent: str, vendor: str) -> dict[str, Json]:
    """Return what is kept in mind about a vendor, by subject."""
    found = context.recall(agent=agent, subject=f"{vendor} ", why=_WHY)
    return {each.subject: each.value for each in found}


def keep_account(
    context: Context,
    *,
    agent: str,
    vendor: str,
    bank: Mapping[str, Any],
    before: Mapping[str, Json],
) -> None:
    """Keep to which account a vendor is paid, unless just that is known."""
    subject, value = f"{vendor} account", {"iban": bank["iban"], "since": bank["since"]}
    if before.get(subject) != value:
        # A memory that is full is no reason to leave the errand undone.
        with contextlib.suppress(ToolFailed):
            context.remember(
                agent=agent,
                subject=subject,
                value=value,
                derived_from=[pointer.build(("vendors", vendor, "bank", "iban"))],
            )


def keep_decision(
    context: Context, *, agent: str, vendor: str, action: Mapping[str, Any], outcome: Outcome
) -> None:
    """Keep what people decided about a vendor, for a season."""
    if outcome.status in _DECIDED:
        with contextlib.suppress(ToolFailed):
            context.remember(
                agent=agent,
                subject=f"{vendor} {action['action_type']}",
                value={"params": action["params"], "ended": outcome.status, "said": outcome.reason},
                confidence=0.9,
                expires_in=SEASON,
            )
