"""What the broker may ring for: each task looks at the rows and does what they say."""

from datetime import UTC, datetime
from uuid import UUID

from celery import shared_task

from agents.operations.restoring import carry_on
from agents.operations.running import work
from agents.operations.waking import wake_run


@shared_task(name="agents.work")
def work_ready(key: str = "") -> int:
    """Run whatever is ready."""
    return work()


@shared_task(name="agents.wake")
def wake(key: str) -> int:
    """Queue the run named by `key` if its answer has come, and work."""
    wake_run(UUID(key))
    return work()


@shared_task(name="agents.restore")
def restore(key: str) -> str:
    """Carry on with the confirmed restoration named by `key`; what starts anew rings by itself."""
    return carry_on(UUID(key), now=datetime.now(UTC))
