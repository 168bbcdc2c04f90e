"""Guide a workflow through its journal: answer from the record, or do the step and record it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from agents import memory, store
from agents.journal import Entry, Nondeterministic, check, digest_of
from agents.models import Job
from agents.operations import remembering
from agents.operations.ending import Outdated
from agents.operations.participating import participate
from agents.store import Claim
from agents.workflows import Exhibit, Message, Outcome, Provider, Reply, ToolFailed
from approvals import queries as approvals
from approvals.operations import proposing
from console.actors import Actor, agent
from console.canonical import Json
from console.errors import KeyReused, Refused
from console.live import ring
from console.locking import Busy
from snapshots import content as contents
from snapshots import queries as snapshots
from snapshots.diff import Change
from snapshots.operations.committing import EpochPassed, lock
from snapshots.operations.observing import observe

WAKE_TASK = "agents.wake"


class Waiting(BaseException):
    """The workflow waits for a decision; not an error, so no workflow can catch it by accident."""

    def __init__(self, proposal_id: UUID) -> None:
        """Keep the proposal that is waited for."""
        self.proposal_id = proposal_id
        super().__init__(str(proposal_id))


class Journaled:
    """The context of one run in the hands of one worker."""

    def __init__(self, claimed: Claim, job: Job, entries: Sequence[Entry]) -> None:
        """Start at the beginning of the journal."""
        self.job_input: dict[str, Any] = job.input
        self._claimed = claimed
        self._job = job
        self._entries = entries
        self._index = 0
        self._taking_part = {""}
        self._record_number: int | None = None
        self._memory_epochs: dict[str, int] = {}

    def read(self, *, agent: str) -> Any:
        """Return the State's document; on replay, the version that was read first."""
        head = snapshots.head(self._job.workspace_id, self._job.state_id)
        seen = self._step(
            "tool_call",
            "read_state",
            agent,
            {"state": head.key},
            lambda: {"snapshot": head.number, "digest": head.digest},
        )
        self._record_number = seen["snapshot"]
        return snapshots.content(self._job.state_id, seen["snapshot"])

    def tool(
        self, *, agent: str, name: str, args: dict[str, Any], function: Callable[[], Json]
    ) -> Json:
        """Call a reading tool once; later only its recorded answer. Raises: ToolFailed."""
        answer: Json = self._step("tool_call", name, agent, args, function)
        return answer

    def model(self, *, agent: str, message: Message, provider: Provider) -> Reply:
        """Ask a model once; later only its recorded answer."""
        asked: dict[str, Json] = {
            "instructions": message.instructions,
            "content": message.content,
        }

        def ask() -> Json:
            reply = provider.complete(message)
            return {"text": reply.text, "data": reply.data, "tokens": reply.tokens}

        return Reply(**self._step("model_call", provider.name, agent, asked, ask))

    def handoff(self, *, from_agent: str, to_agent: str, content: str) -> None:
        """Journal that one agent passes the work to another."""
        self._step("handoff", to_agent, from_agent, {"content": content}, lambda: None)

    def observe(self, *, name: str, args: dict[str, Any], changes: Sequence[Change]) -> None:
        """Take in an outside change as the State's next snapshot, once."""
        index = self._index
        asked: dict[str, Json] = {"args": args, "changes": [c.to_json() for c in changes]}
        outside = Actor("system", "outside", "Outside event", self._job.workspace_id)

        def take_in() -> Json:
            if not changes:
                return None
            with transaction.atomic():
                store.hold(self._claimed)
                self._stop_if_outdated()
                snapshot = observe(
                    actor=outside,
                    state_id=self._job.state_id,
                    changes=list(changes),
                    cause_id=f"{self._claimed.run_id}:{index}",
                    reason=name,
                    now=_now(),
                )
            return {"snapshot": snapshot.number}

        self._step("event", name, "", asked, take_in)

    def recall(self, *, agent: str, subject: str = "", why: str = "") -> list[memory.Entry]:
        """Return what the agent keeps in mind; on replay, the entries that were given first."""
        asked: dict[str, Json] = {"subject": subject, "why": why}

        def look(actor: Actor, place: remembering.Place) -> dict[str, Json]:
            since = None if why else self._job.created_at
            return remembering.recall(
                actor=actor, place=place, subject=subject, since=since, now=_now()
            )

        return remembering.recalled(self._in_mind("recall", agent, asked, look))

    def remember(
        self,
        *,
        agent: str,
        subject: str,
        value: Json,
        confidence: float = 1.0,
        expires_in: timedelta | None = None,
        derived_from: Sequence[str] = (),
    ) -> str:
        """Keep something in the agent's mind once, and return the entry's id."""
        note = memory.Note(subject, value, confidence, expires_in, tuple(derived_from))

        def keep(actor: Actor, place: remembering.Place) -> dict[str, Json]:
            return remembering.remember(actor=actor, place=place, note=note, now=_now())

        entry: str = self._in_mind("remember", agent, note.to_json(), keep)["entry"]
        return entry

    def forget(self, *, agent: str, entry: str) -> None:
        """Take an entry out of the agent's mind."""

        def let_go(actor: Actor, place: remembering.Place) -> dict[str, Json]:
            return remembering.forget(actor=actor, place=place, entry_id=entry, now=_now())

        self._in_mind("forget", agent, {"entry": entry}, let_go)

    def propose(
        self,
        *,
        agent: str,
        action_type: str,
        params: dict[str, Any],
        stated: Sequence[Change] = (),
        evidence: Sequence[Exhibit] = (),
        rationale: str = "",
    ) -> Outcome:
        """Propose once, then wait for the outcome without holding a worker."""
        index = self._index
        asked: dict[str, Json] = {
            "params": params,
            "stated": [change.to_json() for change in stated],
            "evidence": [
                [item.label, item.source, item.content, [*item.paths]] for item in evidence
            ],
            "rationale": rationale,
        }

        def put_forward() -> Json:
            request = proposing.Request(
                state_key=self._job.state.key,
                action_type=action_type,
                params=params,
                origin=f"run:{self._claimed.run_id}",
                origin_step=str(index),
                stated=tuple(stated),
                evidence=tuple(
                    proposing.Exhibit(e.label, e.source, e.content, e.paths) for e in evidence
                ),
                rationale=rationale,
                wake_task=WAKE_TASK,
                lineage=tuple(self._job.lineage),
                epoch=self._claimed.epoch,
            )
            return self._propose(agent, request)

        made = self._step("proposal", action_type, agent, asked, put_forward)
        if "refused" in made:
            return Outcome("refused", made["refused"])
        return self._await(UUID(made["proposal"]), action_type)

    def finish(self) -> None:
        """Refuse an ending that leaves a part of the journal unread. Raises: Nondeterministic."""
        if self._index < len(self._entries):
            left = self._entries[self._index]
            raise Nondeterministic(
                f"The workflow ended before step {left.index}, {left.kind} {left.name!r}, "
                "which it did when it ran first."
            )

    def _propose(self, agent_name: str, request: proposing.Request) -> Json:
        submitter = self._job.submitter
        actor = agent(agent_name, self._job.workspace_id, behind=submitter)
        try:
            with transaction.atomic():
                # A run that was ended or taken over meanwhile proposes nothing any more.
                store.hold(self._claimed)
                proposal_id = proposing.propose(actor=actor, request=request, now=_now())
        except Busy:
            raise
        except EpochPassed as passed:
            raise Outdated from passed
        except KeyReused as error:
            said = f"Step {request.origin_step} proposed something else when it ran first."
            raise Nondeterministic(said) from error
        except Refused as refused:
            return {"refused": refused.sentence, "code": refused.code}
        return {"proposal": str(proposal_id)}

    def _in_mind(
        self,
        verb: str,
        agent_name: str,
        asked: Json,
        work: Callable[[Actor, remembering.Place], dict[str, Json]],
    ) -> Any:
        actor = agent(agent_name, self._job.workspace_id, behind=self._job.submitter)
        place = remembering.Place(
            claimed=self._claimed,
            record_id=self._job.state_id,
            record_key=self._job.state.key,
            step=self._index,
            record_number=self._record_number,
            memory_epoch=self._memory_epochs.get(agent_name),
        )

        def attempt() -> Json:
            try:
                return work(actor, place)
            except remembering.MemoryRefused as refused:
                raise ToolFailed(refused.sentence) from refused

        found = self._step("memory", verb, agent_name, asked, attempt)
        # What a later epoch says of this memory is not for a run that began before it.
        self._memory_epochs.setdefault(agent_name, found["epoch"])
        return found

    def _await(self, proposal_id: UUID, action_type: str) -> Outcome:
        def look() -> Json:
            answer = approvals.answer(self._job.workspace_id, proposal_id)
            if not answer.is_final:
                raise Waiting(proposal_id)
            return answer.to_json()

        asked: dict[str, Json] = {"proposal": str(proposal_id)}
        answer = self._step("outcome", action_type, "", asked, look)
        return Outcome(answer["status"], answer["reason"], answer["by"])

    def _step(
        self, kind: str, name: str, agent_name: str, asked: Json, work: Callable[[], Json]
    ) -> Any:
        index, digest = self._index, digest_of(asked)
        self._index += 1
        if index < len(self._entries):
            entry = self._entries[index]
            check(entry, kind, name, agent_name, digest)
            return _answered(entry)
        self._take_part(agent_name)
        started_at = _now()
        output, error = _attempt(work)
        entry = Entry(
            index=index,
            kind=kind,
            name=name,
            agent=agent_name,
            input=asked,
            input_digest=digest,
            output=output,
            error=error,
            proposal_id=_proposal_of(kind, output),
            started_at=started_at,
        )
        store.record(self._claimed, entry)
        ring("run", self._claimed.run_id)
        return _answered(entry)

    def _stop_if_outdated(self) -> None:
        """Leave the State alone if it was brought back after this run began. Raises: Outdated."""
        head = lock(self._job.workspace_id, self._job.state_id)
        if head.epoch != self._claimed.epoch:
            raise Outdated

    def _take_part(self, agent_name: str) -> None:
        if agent_name not in self._taking_part:
            participate(self._claimed, agent_name)
            self._taking_part.add(agent_name)


def _attempt(work: Callable[[], Json]) -> tuple[Json, str]:
    try:
        return work(), ""
    except ToolFailed as failed:
        return None, str(failed)[:2000] or "The tool failed without saying why."


def _answered(entry: Entry) -> Any:
    if entry.error:
        raise ToolFailed(entry.error)
    # The database keeps no order of members; the first time must look like every replay.
    return contents.parse(contents.content_bytes(entry.output))


def _proposal_of(kind: str, output: Json) -> UUID | None:
    if kind == "proposal" and isinstance(output, dict) and "proposal" in output:
        return UUID(str(output["proposal"]))
    return None


def _now() -> datetime:
    return datetime.now(UTC)
