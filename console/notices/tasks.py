"""What the broker may ring for: each task looks at the rows and sends what is due."""

from collections.abc import Callable
from datetime import UTC, datetime

from celery import shared_task

from console.notices.operations.delivering import deliver_some
from console.notices.operations.mailing import mail_next

# The timer rings again for what is left; a task that never ended could not be replaced.
ROUNDS = 100


@shared_task(name="notices.mail")
def mail(key: str = "") -> int:
    """Send the mails that are due."""
    return _until_none(lambda: mail_next(now=datetime.now(UTC)))


@shared_task(name="notices.deliver")
def deliver(key: str = "") -> int:
    """Send what webhooks are to hear."""
    return _until_none(lambda: deliver_some(now=datetime.now(UTC)) > 0)


def _until_none(step: Callable[[], bool]) -> int:
    rounds = 0
    while rounds < ROUNDS and step():
        rounds += 1
    return rounds
