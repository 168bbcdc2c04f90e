"""The canary: a task that does nothing but show that its queue is listened to."""

from datetime import UTC, datetime

from celery import shared_task

from console.pulse.operations.beating import beat
from console.pulse.queries import QUEUE


@shared_task(name="pulse.canary")
def canary(queue: str) -> None:
    """Write down that a task of this queue was carried out."""
    beat(f"{QUEUE}{queue}", now=datetime.now(UTC))
