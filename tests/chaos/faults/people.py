"""Faults that people and programs bring with them: haste, races, stale pages, bad tokens, stops."""

import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from agents.operations.planning import plan
from agents.operations.restoring import confirm
from agents.queries import restorations
from agents.restoring import Wanted
from approvals.models import Attempt, Decision, Execution
from approvals.operations.stopping import resume_sending, stop_sending
from console.access.operations.keying import make_token
from snapshots import queries as snapshots
from tests.chaos.faults.stage import Fault, now
from tests.chaos.workload import calmly, decide
from tests.chaos.world import Place


class DoubleClick(Fault):
    """F14."""

    name, title = "F14", "the same decision five times at the same moment"
    expected = "one decision, the same answer each time"
    every = 7.0

    def strike(self, chance: random.Random) -> bool:
        """Click."""
        place = self.place(chance)
        shown = self.pending(chance, place)
        if shown is None:
            return False
        hands = [self.person(random.Random(n), place, "ana") for n in range(5)]
        answers = together([partial(decide, hand, shown, "approve") for hand in hands])
        for answer in answers:
            self.seen[f"answered {answer.status}"] += 1
        rows = calmly(
            lambda: Decision.objects.filter(
                proposal=shown["id"],
                revision=shown["revision"],
                person=UUID(place.people["ana"].actor.id),
            ).count()
        )
        if rows is not None and rows > 1:
            self.went_wrong(f"{shown['id']}: {rows} decisions")
        return True


class TwoAtOnce(Fault):
    """F15."""

    name, title = "F15", "two reviewers at the same moment, one for and one against"
    expected = "one of them settles it, where one is enough; never both an effect and a rejection"
    every = 7.0

    def strike(self, chance: random.Random) -> bool:
        """Let both decide."""
        place = self.place(chance)
        shown = self.pending(chance, place)
        if shown is None:
            return False
        choices = chance.choice([("approve", "reject"), ("approve", "approve")])
        hands = [self.person(random.Random(n), place, who) for n, who in enumerate(("ana", "ben"))]
        pairs = zip(hands, choices, strict=True)
        answers = together([partial(decide, hand, shown, choice) for hand, choice in pairs])
        for answer in answers:
            self.seen[f"answered {answer.status}"] += 1
        rejected = calmly(
            lambda: (
                Execution.objects.filter(
                    proposal=shown["id"], revision=shown["revision"], proposal__status="rejected"
                )
                .exclude(status="recalled")
                .exists()
            )
        )
        if rejected:
            self.went_wrong(f"{shown['id']} is rejected and has an execution")
        return True


class GoesBack(Fault):
    """F16."""

    name, title = "F16", "bring a State back while its proposals are decided, sent or in doubt"
    expected = "either order, never both; while something is on its way it is refused"
    every = 9.0

    def strike(self, chance: random.Random) -> bool:
        """Let an admin go one or two snapshots back."""
        place = self.place(chance)
        key = chance.choice(place.states)
        head = calmly(lambda: snapshots.named(place.id, key))
        if head is None or head.number < 3:
            return False
        calmly(lambda: self._go_back(place, head, chance.randint(1, 2)))
        return True

    def _go_back(self, place: Place, head: Any, by: int) -> None:
        ada = place.people["ada"].actor
        wanted = Wanted("rollback", state=head.state_id, to=head.number - by)
        planned = plan(actor=ada, wanted=wanted, now=now())
        try:
            typed = restorations.detail(place.id, planned).plan["to_type"]
            confirm(
                actor=ada, restoration_id=planned, reason="It went wrong.", typed=typed, now=now()
            )
        except Exception as error:
            self.seen[type(error).__name__] += 1
            raise
        self.seen["confirmed"] += 1


class StaleDecisions(Fault):
    """F17."""

    name, title = "F17", "decide on other bytes, an older wording, without the right, once more"
    expected = "409, 412 or 403 with a code; nothing recorded"
    every = 5.0

    def strike(self, chance: random.Random) -> bool:
        """Try one of them."""
        place = self.place(chance)
        shown = self.pending(chance, place)
        if shown is None:
            return False
        how = chance.choice(["other bytes", "older wording", "no right", "elsewhere"])
        who = "eve" if how == "no right" else "ben"
        wrong = dict(shown)
        if how == "other bytes":
            wrong["revision_digest"] = "0" * 64
        elif how == "older wording":
            wrong["revision"] += 1
        other = next(each for each in self.workload.places if each.slug != place.slug)
        answer = decide(
            self.person(chance, other if how == "elsewhere" else place, who), wrong, "approve"
        )
        self.seen[f"{how}: {answer.status}"] += 1
        if answer.status in {200, 500}:
            self.went_wrong(f"{how} was answered {answer.status}")
        return True


class BadTokens(Fault):
    """F18."""

    name, title = "F18", "expired, revoked and invented tokens; a live one that decides"
    expected = "401; a token decides nothing"
    every = 8.0

    def strike(self, chance: random.Random) -> bool:
        """Try one of them."""
        place = self.place(chance)
        how = chance.choice(["invented", "expired", "decides"])
        if how == "expired":
            token = calmly(lambda: self._expired(place))
            if token is None:
                return False
        else:
            token = place.token if how == "decides" else f"cs_{chance.randbytes(24).hex()}"
        caller = self.workload.caller(chance, {"Authorization": f"Bearer {token}"})
        if how == "decides":
            shown = self.pending(chance, place)
            if shown is None:
                return False
            answer = decide(caller, shown, "approve")
        else:
            answer = caller.ask("GET", "/api/v1/proposals")
        self.seen[f"{how}: {answer.status}"] += 1
        if answer.status in {200, 500}:
            self.went_wrong(f"{how} was answered {answer.status}")
        return True

    def _expired(self, place: Place) -> str:
        maker, then = place.people["eve"].actor, now() - timedelta(days=2)
        scopes, lifetime = ["proposals:read"], timedelta(days=1)
        return make_token(actor=maker, name="Old", scopes=scopes, lifetime=lifetime, now=then)[1]


class SendingStops(Fault):
    """F20."""

    name, title = "F20", "stop a workspace's sending in the middle of everything"
    expected = "no attempt is begun between the stop and its end"
    every = 45.0

    def strike(self, chance: random.Random) -> bool:
        """Stop, wait, resume, and keep when that was."""
        place = self.place(chance)
        ada = place.people["ada"].actor
        if not self._until(lambda: self._stop(place, ada)):
            return False
        stopped = now()
        self.stage.pause(chance.uniform(3, 8))
        resumed = now()
        self.stage.stops.append((place.id, stopped, resumed))
        self._until(lambda: resume_sending(actor=ada, reason="over", now=now()) or True)
        return True

    def _stop(self, place: Place, ada: Any) -> bool:
        stop_sending(actor=ada, reason="chaos", typed=place.slug, now=now())
        return True

    def _until(self, work: Callable[[], Any]) -> bool:
        """Try until it is done: the database may be away."""
        for _ in range(120):
            if calmly(work, what="switch"):
                return True
            time.sleep(0.5)
        return False

    def look(self) -> None:
        """Look for attempts that were begun while nothing might be sent."""
        for workspace, since, until in self.stage.stops:
            rows = Attempt.objects.filter(workspace_id=workspace, sent_at__gt=since)
            begun = rows.filter(sent_at__lt=until).count()
            self.seen["attempts while stopped"] += begun
            if begun:
                self.went_wrong(f"{begun} attempts between {since} and {until}")


def together(works: list[Callable[[], Any]]) -> list[Any]:
    """Do several things at the same moment."""
    start, answers = threading.Barrier(len(works)), [None] * len(works)

    def one(number: int, work: Callable[[], Any]) -> None:
        start.wait()
        answers[number] = work()

    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
