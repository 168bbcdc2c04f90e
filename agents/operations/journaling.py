"""Go through the journal of a run: answer a step from it, or do the step and write it down.

What guards say stands in the journal between the steps and is read from there again. Each verdict
has a place: before the call that it is about, after the step, asked for by the workflow, or at
the end. At one place a rule speaks once, so that whoever takes the run over repeats nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.db import transaction

from agents import store
from agents.happened import call_of
from agents.journal import Entry, Nondeterministic, check, digest_of
from agents.operations import interrupting
from agents.operations.guarding import Guards
from agents.operations.interrupting import Paused, Terminated
from agents.operations.participating import participate
from agents.store import Claim
from agents.trail import Event
from agents.verdicts import STRENGTHS, Verdict
from agents.workflows import ToolFailed
from console.canonical import Json
from console.failpoints import fp
from console.live import ring
from snapshots import content as contents

Place = Literal["before", "after", "asked", "end"]
GUARD, ANSWER = "guard", "answer"


@dataclass(slots=True)
class Cost:
    """What a step used, as it became known while it was done."""

    tokens: int = 0
    money: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Task:
    """One step as a workflow asks for it: `work` is done once, later its record answers.

    With `held`, work and record are one transaction that keeps others from the run, so that
    whatever the work leaves elsewhere happens exactly when the step does. What takes long and
    holds nothing is done before, by `prepare`. `cost` is filled by the work.
    """

    kind: str
    name: str
    agent: str
    asked: Json
    work: Callable[[], Json]
    held: bool = False
    prepare: Callable[[], None] | None = None
    cost: Cost | None = None


class Journal:
    """The journal of one run in the hands of one worker."""

    def __init__(
        self,
        claimed: Claim,
        entries: Sequence[Entry],
        guards: Guards,
        keep: Callable[[Entry], None],
    ) -> None:
        """Start at the beginning; `keep` is given each step as it goes by."""
        self.claimed, self.guards = claimed, guards
        self._entries = entries
        self._index = 0
        self._keep = keep
        self._taking_part = {""}
        # Which rules have spoken since the last step, where, and how strongly they meant it.
        self._said: set[tuple[str, str, str]] = set()
        # Which of them a person's answer begins anew with.
        self._stopped_by: list[str] = []

    @property
    def at(self) -> int:
        """Return the index of the step that comes next, or that is being done."""
        return self._index

    @property
    def is_new(self) -> bool:
        """Say whether the next step was never done before."""
        return self._index >= len(self._entries)

    @property
    def _is_last(self) -> bool:
        """Say whether nothing but verdicts about the last step follows it.

        Whoever wrote them may have died before the last of them was written.
        """
        rest = (self._entries[index] for index in range(self._index, len(self._entries)))
        return all(_is_at(each, "after") or _is_answer(each) for each in rest)

    def step(self, task: Task) -> Any:
        """Do a step, or return what came of it. Raises: ToolFailed, Paused, Terminated, Held."""
        call = call_of(task.kind, task.name, task.agent, task.asked, self._index)
        if call is not None:
            self._read("before")
            self._write("before", self.guards.before(call))
        known = self._known(call) if task.kind == "tool_call" else None
        entry = self._recorded(task) or self._done(task, known)
        self._said.clear()
        self._stopped_by.clear()
        self._keep(entry)
        due = self.guards.after(entry, known, is_last=self._is_last)
        self._read("after")
        self._write("after", due)
        return _answered(entry)

    def ask(self, rule: str, agent: str, say: Callable[[], Verdict | None]) -> Verdict | None:
        """Return what a rule says that the workflow asks itself, as it was said first."""
        if not self.is_new:
            entry = self._entries[self._index]
            stands = _is_at(entry, "asked") and (entry.name, entry.agent) == (rule, agent)
            return self._read_one("asked") if stands else None
        verdict = say()
        if verdict is not None:
            self._say("asked", verdict, meant=verdict.strength)
        return verdict

    def close(self, say: Callable[[], Iterable[Verdict]]) -> None:
        """Hear what is said at the end, and refuse one that leaves something unread.

        Raises: Nondeterministic.
        """
        self._read("end")
        if not self.is_new:
            left = self._entries[self._index]
            raise Nondeterministic(
                f"The workflow ended before step {left.index}, {left.kind} {left.name!r}, "
                "which it did when it ran first."
            )
        self._write("end", [*say()])

    def _known(self, call: Event | None) -> Event | None:
        return self.guards.repeated(call) if call is not None else None

    def _recorded(self, task: Task) -> Entry | None:
        if self.is_new:
            return None
        entry = self._entries[self._index]
        check(entry, task.kind, task.name, task.agent, digest_of(task.asked), task.asked)
        self._index += 1
        return entry

    def _done(self, task: Task, known: Event | None) -> Entry:
        # Before the transaction: taking part does not wait for the disk, a step does.
        self._take_part(task.agent)
        if task.kind == "proposal":
            fp("run.before_proposal")
        started_at = _now()
        if task.prepare is not None:
            task.prepare()
        with transaction.atomic() if task.held else nullcontext():
            if task.held:
                # A run that was ended or taken over meanwhile does nothing any more.
                store.hold(self.claimed)
            output, error = (known.content, "") if known is not None else _attempt(task)
            fp("run.after_proposal" if task.kind == "proposal" else "run.after_model")
            entry = Entry(
                index=self._index,
                kind=task.kind,
                name=task.name,
                agent=task.agent,
                input=task.asked,
                input_digest=digest_of(task.asked),
                output=output,
                error=error,
                proposal_id=_proposal_of(task.kind, output),
                started_at=started_at,
            )
            cost = task.cost or Cost()
            store.record(self.claimed, entry, cost.tokens, cost.money)
        self._index += 1
        ring("run", self.claimed.run_id)
        fp("run.before_verdict")
        return entry

    def _take_part(self, agent_name: str) -> None:
        if agent_name not in self._taking_part:
            participate(self.claimed, agent_name)
            self._taking_part.add(agent_name)

    # Verdicts.

    def _read(self, place: Place) -> None:
        while not self.is_new and _is_at(self._entries[self._index], place):
            self._read_one(place)

    def _read_one(self, place: Place) -> Verdict:
        entry = self._entries[self._index]
        self._index += 1
        verdict, output = Verdict.from_json(_members(entry.input)), _members(entry.output)
        self._take(place, verdict, output["meant"])
        if verdict.strength == "terminate":
            raise Terminated(verdict)
        if verdict.strength == "pause":
            self._answer(entry, verdict)
        return verdict

    def _write(self, place: Place, due: Sequence[Verdict]) -> None:
        """Write what is due and was not said here; one of it at most stops the run."""
        if not self.is_new:
            return
        fresh = [each for each in due if (place, each.rule, each.strength) not in self._said]
        stops = [each for each in fresh if _stops(each)]
        last = max(stops, key=lambda each: STRENGTHS.index(each.strength), default=None)
        for verdict in fresh:
            if verdict is not last:
                noted = replace(verdict, strength="note") if _stops(verdict) else verdict
                self._say(place, noted, meant=verdict.strength)
        if last is not None:
            self._say(place, last, meant=last.strength)

    def _say(self, place: Place, verdict: Verdict, *, meant: str) -> None:
        index, now = self._index, _now()
        entry = Entry(
            index=index,
            kind=GUARD,
            name=verdict.rule,
            agent=verdict.agent,
            input=verdict.to_json(),
            input_digest=digest_of(verdict.to_json()),
            output={"place": place, "meant": meant},
            error="",
            proposal_id=None,
            started_at=now,
        )
        with transaction.atomic():
            store.record(self.claimed, entry)
            if verdict.strength == "pause":
                fp("run.before_pause")
                interrupting.pause(self.claimed, index, verdict, now)
        self._index += 1
        self._take(place, verdict, meant)
        ring("run", self.claimed.run_id)
        if verdict.strength == "pause":
            raise Paused
        if verdict.strength == "terminate":
            raise Terminated(verdict)

    def _take(self, place: Place, verdict: Verdict, meant: str) -> None:
        self._said.add((place, verdict.rule, meant))
        if meant == "pause":
            self._stopped_by.append(verdict.rule)
        self.guards.heard(verdict)

    def _answer(self, paused: Entry, verdict: Verdict) -> None:
        """Let the run go on as a person said it should. Raises: Paused while nobody did."""
        if self.is_new:
            answer = interrupting.answer_to(self.claimed, paused.index)
            if answer is None:
                raise Paused
            said = answer.to_json()
            self._note_answer(paused, {"pause": str(answer.pause_id)}, said)
        else:
            entry = self._entries[self._index]
            if not _is_answer(entry):
                raise Nondeterministic(f"Step {entry.index} follows a pause that nobody answered.")
            said = _members(entry.output)
        self._index += 1
        self._forgive(said)
        by, reason = said["by"], said["reason"]
        told = f"{verdict.sentence} {by} let the run go on: {reason}"
        self.guards.tell(verdict.agent, told)

    def _note_answer(self, paused: Entry, asked: Json, said: Json) -> None:
        entry = Entry(
            index=self._index,
            kind=GUARD,
            name=ANSWER,
            agent=paused.agent,
            input=asked,
            input_digest=digest_of(asked),
            output=said,
            error="",
            proposal_id=None,
            started_at=_now(),
        )
        store.record(self.claimed, entry)
        ring("run", self.claimed.run_id)

    def _forgive(self, said: dict[str, Any]) -> None:
        """Begin anew with every rule that would have stopped the run at this place."""
        for rule in self._stopped_by:
            self.guards.forgive(rule, said["raised"].get(rule))
        self._stopped_by.clear()


def _stops(verdict: Verdict) -> bool:
    return verdict.strength in {"pause", "terminate"}


def _is_at(entry: Entry, place: Place) -> bool:
    if _is_answer(entry) or entry.kind != GUARD:
        return False
    return bool(_members(entry.output).get("place") == place)


def _is_answer(entry: Entry) -> bool:
    return (entry.kind, entry.name) == (GUARD, ANSWER)


def _members(value: Json) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _attempt(task: Task) -> tuple[Json, str]:
    try:
        return task.work(), ""
    except ToolFailed as failed:
        said = str(failed)[:2000] or "The tool failed without saying why."
        return _used(task.cost), said


def _used(cost: Cost | None) -> Json:
    """Return what was used for nothing: it counts like any use, also in every replay."""
    if cost is None or not (cost.tokens or cost.money):
        return None
    return {"tokens": cost.tokens, "cost": f"{cost.money:f}"}


def _answered(entry: Entry) -> Any:
    if entry.error:
        raise ToolFailed(entry.error)
    # The database keeps no order of members; the first time must look like every replay.
    return contents.parse(contents.content_bytes(entry.output))


def _proposal_of(kind: str, output: Json) -> UUID | None:
    if kind in {"proposal", "reply"} and isinstance(output, dict) and "proposal" in output:
        return UUID(str(output["proposal"]))
    return None


def _now() -> datetime:
    return datetime.now(UTC)
