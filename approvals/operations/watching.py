"""Ask now and then whether every sentence of `invariants.sql` holds, and tell people if not.

Nobody acts here but the clock. What is broken is told to every admin once a day, in the words of
the sentence: whose rows they are is found out by somebody who may see them all.
"""

import logging
from collections.abc import Iterator
from datetime import datetime

from django.db import transaction
from django.urls import reverse

from approvals.queries.invariants import Answer, answers
from console.access.models import Workspace
from console.access.queries import people_with_role
from console.canonical import sha256
from console.notices.operations.noticing import notify

logger = logging.getLogger(__name__)

# The timer has other duties; what takes longer on a large database is left to `manage.py verify`.
SECONDS = 10.0
EVENT = "invariant.broken"


def watch(now: datetime) -> Iterator[None]:
    """Ask one sentence at each step."""
    for answer in answers(seconds=SECONDS):
        if answer.ids:
            _tell(answer, now)
        elif answer.problem:
            logger.warning("not asked: %s: %s", answer.invariant.sentence, answer.problem)
        yield


def _tell(answer: Answer, now: datetime) -> None:
    sentence = answer.invariant.sentence
    logger.error("not true: %s; see %s", sentence, ", ".join(answer.ids))
    occasion = f"{now:%Y-%m-%d}:{sha256(sentence.encode())[:32]}"
    for workspace in Workspace.objects.order_by("id"):
        admins = [person.id for person, _ in people_with_role(workspace.id, ["admin"])]
        with transaction.atomic():
            notify(
                workspace_id=workspace.id,
                event=EVENT,
                subject_ref="invariants",
                title=f"Not true any more: {sentence}",
                path=reverse("ledger:entries", args=[workspace.slug]),
                people=admins,
                now=now,
                data={},
                occasion=occasion,
            )
