"""Is every version of a recorded run got back to, to the byte, by the path that people take?

After the job has ended: for every version, and every earlier one, back to the earlier and forward
again. What must come out is worked out from the recording alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from agents.operations.planning import NothingToRestore, plan
from agents.operations.restoring import confirm
from agents.packs import recordings
from agents.queries import restorations
from agents.restoring import Wanted
from console.actors import Actor
from console.management.staging import Played
from snapshots import queries as snapshots

# A plan that the world has overtaken is made again, but not for ever.
TRIES = 3


def itinerary(versions: int) -> Iterator[int]:
    """List which version to go to next: from each to every earlier one and forward again."""
    for late in range(1, versions):
        yield late
        for early in range(late):
            yield early
            yield late


@dataclass(slots=True)
class Returning:
    """One job's State on its way through all of its versions."""

    job: Played
    admin: Actor
    checked: int = 0
    wrong: int = 0
    _expected: list[str] = field(default_factory=list)
    _left: list[int] = field(default_factory=list)
    _under_way: UUID | None = None
    _tries: int = 0

    @classmethod
    def begin(cls, job: Played, admin: Actor) -> "Returning":
        """Work out where to go and what must be found there."""
        expected = [recordings.digest(each) for each in job.recorded.versions(job.start)]
        return cls(job, admin, _expected=expected, _left=list(itinerary(len(expected)))[::-1])

    @property
    def is_over(self) -> bool:
        """Say whether every version was visited."""
        return not self._left and self._under_way is None

    def look(self, statuses: dict[UUID, str]) -> None:
        """Check what was reached, and set out for the next version."""
        if self._under_way is None:
            self._set_out()
            return
        match statuses.get(self._under_way):
            case "done":
                self._arrive()
            case "planned":
                self._confirm(self._under_way)
            case "refused":
                self._try_again()

    @property
    def under_way(self) -> UUID | None:
        """Return the restoration that is waited for."""
        return self._under_way

    def _set_out(self) -> None:
        if not self._left:
            return
        wanted = Wanted("rollback", self.job.state_id, self._left[-1] + 1, below=True)
        try:
            self._under_way = plan(actor=self.admin, wanted=wanted, now=_now())
        except NothingToRestore:
            # Two versions with the same content, or it stands there already.
            self._arrive()
            return
        self._confirm(self._under_way)

    def _confirm(self, planned: UUID) -> None:
        key = restorations.detail(self.admin.workspace_id, planned).plan["to_type"]
        confirm(
            actor=self.admin,
            restoration_id=planned,
            reason="Replayed: every version is got back to",
            typed=key,
            now=_now(),
        )

    def _try_again(self) -> None:
        self._under_way = None
        self._tries += 1
        if self._tries >= TRIES:
            self._count(found="")

    def _arrive(self) -> None:
        head = snapshots.head(self.admin.workspace_id, self.job.state_id)
        self._under_way = None
        self._count(found=recordings.digest(snapshots.content(head.state_id, head.number)))

    def _count(self, *, found: str) -> None:
        version = self._left.pop()
        self._tries = 0
        self.checked += 1
        self.wrong += found != self._expected[version]


def statuses_of(workspace_id: UUID, found: list[Returning]) -> dict[UUID, str]:
    """Return how the restorations stand that are waited for."""
    ids = [each.under_way for each in found if each.under_way]
    rows = restorations.listed(workspace_id).filter(id__in=ids)
    return dict(rows.values_list("id", "status"))


def _now() -> datetime:
    return datetime.now(UTC)
