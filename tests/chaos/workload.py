"""Who works while things fail? Clients that propose and submit, people who decide and clear up.

Seeded: what is asked for, by whom and through which door is chosen by one random generator per
hand. Everything that was answered is kept, because it was promised.
"""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid5

from django.db import close_old_connections, connection
from django.db.utils import DatabaseError, InterfaceError

from console.errors import Refused
from tests.chaos.calling import Answer, Caller, Tally
from tests.chaos.world import DECIDERS, Place, action

logger = logging.getLogger(__name__)

DOORS = {"keyed": 45, "queryable": 25, "blind": 30}
REJECTED_SHARE = 0.06
JOB_SHARE = 0.5
NOTE_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that a client asked for; `id` is what it was promised, empty if never answered."""

    kind: str
    place: str
    key: str
    ref: str
    door: str
    id: str
    at: float


@dataclass
class Workload:
    """All hands, what they were promised, and what they did."""

    places: list[Place]
    addresses: list[str]
    seed: int
    rate: float
    tally: Tally = field(default_factory=Tally)
    asked: list[Asked] = field(default_factory=list)
    did: Counter[str] = field(default_factory=Counter)
    # Proposal, revision, who: every decision that was answered 200.
    decided: list[tuple[str, int, str]] = field(default_factory=list)
    note_share: float = NOTE_SHARE
    submit_milliseconds: list[tuple[float, float]] = field(default_factory=list)
    _numbers: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asking: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, *, askers: int = 2) -> None:
        """Let everybody work."""
        self._asking.set()
        for number in range(askers):
            self.hand(f"asker-{number}", self._ask_steadily, askers)
        for place in self.places:
            for who in DECIDERS:
                self.hand(f"{who}@{place.slug}", self._decide_always, place, who)

    def hand(self, name: str, work: Callable[..., None], *arguments: Any) -> None:
        """Let a thread of its own do something; it has a generator of its own."""
        chance = random.Random(f"{self.seed}:{name}")
        thread = threading.Thread(target=work, args=(chance, *arguments), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop_asking(self) -> None:
        """Ask for nothing new; people go on."""
        self._asking.clear()

    def stop(self) -> None:
        """Let everybody go home."""
        self._asking.clear()
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=30)

    @property
    def is_over(self) -> bool:
        """Say whether everybody is to go home."""
        return self._over.is_set()

    def pause(self, seconds: float) -> bool:
        """Wait, and say whether it goes on after."""
        return not self._over.wait(seconds)

    def caller(self, chance: random.Random, headers: dict[str, str]) -> Caller:
        """Return a client."""
        return Caller(self.addresses, headers, self.tally, chance, lambda: self.is_over)

    def client(self, chance: random.Random, place: Place) -> Caller:
        """Return a client with the workspace's token."""
        return self.caller(chance, {"Authorization": f"Bearer {place.token}"})

    def _ask_steadily(self, chance: random.Random, askers: int) -> None:
        callers = {place.slug: self.client(chance, place) for place in self.places}
        due = time.monotonic()
        while self._asking.is_set() and not self.is_over:
            place = chance.choice(self.places)
            self._ask(chance, place, callers[place.slug])
            # Poisson arrivals; what was missed while nobody answered is not made up for.
            due = max(due + chance.expovariate(self.rate / askers), time.monotonic() - 2)
            self.pause(max(0.0, due - time.monotonic()))

    def _ask(self, chance: random.Random, place: Place, caller: Caller) -> None:
        number = self._next()
        ref = f"r{self.seed}-{number:06}"
        key = str(uuid5(place.id, ref))
        door = chance.choices([*DOORS], [*DOORS.values()])[0]
        is_job, is_note = chance.random() < JOB_SHARE, chance.random() < self.note_share
        kind = "job" if is_job else "proposal"
        door = "" if is_note else door
        path, body = self._wording(chance, place, ref, door, is_job=is_job)
        answer = caller.ask("POST", path, body, headers={"Idempotency-Key": key}, patience=120)
        made = answer.body.get("id", "") if answer.status in {201, 202} else ""
        with self._lock:
            self.asked.append(Asked(kind, place.slug, key, ref, door, made, time.time()))
            self.submit_milliseconds.append((time.time(), answer.milliseconds))
            self.did[f"{kind} {'taken in' if made else f'answered {answer.status}'}"] += 1
        if not made and answer.status not in {0, 503}:
            logger.warning("%s %s: %s", path, answer.status, answer.body)

    def _wording(
        self, chance: random.Random, place: Place, ref: str, door: str, *, is_job: bool
    ) -> tuple[str, dict[str, Any]]:
        state = chance.choice(place.states)
        amount = f"{chance.randint(1, 999)}.{chance.randint(0, 99):02}"
        params = {"ref": ref, "amount": amount, "payee": f"payee-{chance.randint(1, 50)}"}
        changes = [{"op": "add", "path": f"/payments/{ref}", "value": params}]
        name = action(door) if door else "note"
        if not door:
            params = {"text": ref}
        if not is_job:
            asked = {"action_type": name, "params": params, "changes": changes}
            return "/api/v1/proposals", {"state": state, **asked}
        look: dict[str, Any] = {"n": 0, "by": "agent", "tool": "look", "args": {}, "kind": "read"}
        write = {"n": 1, "by": "agent", "tool": name, "args": params, "kind": "write"}
        calls = [{**look, "result": 1}, {**write, "changes": changes}]
        body = {"workflow": "recorded", "state": state, "input": {"calls": calls}, "label": ref}
        return "/api/v1/jobs", body

    def _next(self) -> int:
        with self._lock:
            self._numbers += 1
            return self._numbers

    def _decide_always(self, chance: random.Random, place: Place, who: str) -> None:
        reader = self.client(chance, place)
        person = self.caller(chance, place.people[who].headers)
        while not self.is_over:
            found = reader.ask("GET", "/api/v1/proposals?status=pending&limit=100&sort=queue")
            waiting = found.body["items"] if found.status == 200 else []
            chance.shuffle(waiting)
            for each in waiting[:20]:
                if self.is_over:
                    return
                self._decide(reader, person, each["id"], place.people[who].actor.id)
            self.pause(0.2 if waiting else 0.7)

    def _decide(self, reader: Caller, person: Caller, which: str, who: str) -> None:
        shown = reader.ask("GET", f"/api/v1/proposals/{which}")
        if shown.status != 200 or shown.body["status"] != "pending":
            return
        # By the proposal, not by chance: a second look must not change anybody's mind.
        rejects = random.Random(f"{self.seed}:{which}").random() < REJECTED_SHARE
        answer = decide(person, shown.body, "reject" if rejects else "approve")
        said = answer.body.get("code", "") if isinstance(answer.body, dict) else ""
        with self._lock:
            self.did[f"decision answered {answer.status} {said}".strip()] += 1
            if answer.status == 200:
                self.decided.append((which, shown.body["revision"], who))


def decide(person: Caller, shown: dict[str, Any], choice: str, patience: float = 60.0) -> Answer:
    """Let somebody decide on what they have seen."""
    digest = shown["revision_digest"]
    body = {
        "choice": choice,
        "revision": shown["revision"],
        "digest": digest,
        "reason_code": "" if choice == "approve" else "other",
        "comment": "seen",
        "ticked": [check["name"] for check in shown["checks"] if not check["passed"]],
    }
    path = f"/api/v1/proposals/{shown['id']}/decisions"
    return person.ask("POST", path, body, headers={"If-Match": f'"{digest}"'}, patience=patience)


def calmly(work: Callable[[], Any], *, what: str = "") -> Any:
    """Do something in the database; what is refused, or away, returns nothing."""
    close_old_connections()
    try:
        return work()
    except Refused as refused:
        logger.info("%s: %s", what, refused)
    except (DatabaseError, InterfaceError) as error:
        logger.info("%s: %s", what, error)
        connection.close()
    return None
