"""Guide a workflow through its journal: answer from the record, or do the step and record it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from agents import critic, memory, provenance, store, workflows
from agents.journal import Entry, Nondeterministic, check, digest_of
from agents.models import Job
from agents.operations import remembering
from agents.operations.ending import Outdated
from agents.operations.participating import participate
from agents.store import Claim
from agents.workflows import Exhibit, Message, Outcome, Provider, Reply, ToolFailed
from approvals import queries as approvals
from approvals.operations import asking, proposing, rewording, withdrawing
from approvals.queries import talking
from console.actors import Actor, agent
from console.canonical import Json
from console.errors import KeyReused, Refused
from console.failpoints import fp
from console.live import ring
from console.locking import Busy
from snapshots import content as contents
from snapshots import queries as snapshots
from snapshots.diff import Absent, Change
from snapshots.operations.committing import EpochPassed, lock
from snapshots.operations.observing import observe

WAKE_TASK = "agents.wake"
NOT_REVISED = "This workflow does not word its proposals anew."
# The proposal has ended meanwhile; how is the next thing the workflow learns.
_OVER = {"already_settled", "not_pending"}


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
        self._results: list[provenance.Result] = []
        self._done: list[tuple[int, str, str, Json, bool]] = []
        self._conversing: set[str] = set()

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
        converses: bool = False,
    ) -> Outcome:
        """Propose once, then wait for the outcome without holding a worker."""
        index = self._index
        asked = _wording(params, stated, evidence, rationale)
        if converses:
            asked["converses"] = True

        def put_forward() -> Json:
            request = proposing.Request(
                state_key=self._job.state.key,
                action_type=action_type,
                params=params,
                origin=f"run:{self._claimed.run_id}",
                origin_step=str(index),
                stated=tuple(stated),
                evidence=(*_exhibits(evidence), *self._odd(action_type, params, stated)),
                rationale=rationale,
                wake_task=WAKE_TASK,
                lineage=tuple(self._job.lineage),
                epoch=self._claimed.epoch,
                sources=tuple(self._sources(params, stated)),
            )
            return self._propose(agent, request)

        made = self._step("proposal", action_type, agent, asked, put_forward)
        if "refused" in made:
            return Outcome("refused", made["refused"])
        if converses:
            self._conversing.add(made["proposal"])
        outcome = self._await(made["proposal"], action_type)
        if outcome.status == "changes_requested" and not converses:
            self.withdraw(outcome, agent=agent, reason=NOT_REVISED)
        return outcome

    def revise(
        self,
        outcome: Outcome,
        *,
        agent: str,
        params: dict[str, Any],
        stated: Sequence[Change] = (),
        evidence: Sequence[Exhibit] = (),
        rationale: str = "",
        why: str = "",
    ) -> Outcome:
        """Word it anew once, then wait for the outcome."""
        asked = {**_wording(params, stated, evidence, rationale), "why": why}
        # Traced before the transaction, which is to hold its locks for a moment only.
        sources = self._sources(params, stated) if self._is_new() else []

        def word_anew(actor: Actor) -> dict[str, Json]:
            number = rewording.reword(
                actor=actor,
                proposal_id=UUID(outcome.proposal),
                params=params,
                stated=stated,
                evidence=_exhibits(evidence),
                rationale=rationale,
                sources=sources,
                why=why,
                now=_now(),
            )
            return {"revision": number}

        done = self._reply("revise", agent, outcome, asked, word_anew)
        if "refused" in done and done["code"] not in _OVER:
            return replace(outcome, status="refused", reason=done["refused"], by="")
        return self._await(outcome.proposal, "revise")

    def answer(self, outcome: Outcome, *, agent: str, text: str) -> Outcome:
        """Answer once, unless somebody else did, then wait for the outcome."""
        proposal_id = UUID(outcome.proposal)

        def tell(actor: Actor) -> dict[str, Json]:
            waiting = talking.open_question(proposal_id)
            if waiting is None or waiting.number != outcome.number:
                return {"answered": False}
            asking.answer(actor=actor, proposal_id=proposal_id, text=text, now=_now())
            return {"answered": True}

        asked: dict[str, Json] = {"text": text, "number": outcome.number}
        done = self._reply("answer", agent, outcome, asked, tell)
        if "refused" in done and done["code"] not in _OVER:
            return replace(outcome, status="refused", reason=done["refused"], by="")
        return self._await(outcome.proposal, "answer")

    def withdraw(self, outcome: Outcome, *, agent: str, reason: str) -> Outcome:
        """Take it back once; what was settled meanwhile stays as it is."""

        def take_back(actor: Actor) -> dict[str, Json]:
            status = withdrawing.withdraw(
                actor=actor, proposal_id=UUID(outcome.proposal), reason=reason, now=_now()
            )
            return {"status": status}

        done = self._reply("withdraw", agent, outcome, {"reason": reason}, take_back)
        if "refused" in done:
            return replace(outcome, status="refused", reason=done["refused"], by="")
        return Outcome(done["status"], reason, agent, outcome.proposal)

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
        fp("run.before_proposal")
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
        fp("run.after_proposal")
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

    def _reply(
        self,
        verb: str,
        agent_name: str,
        outcome: Outcome,
        asked: dict[str, Json],
        act: Callable[[Actor], dict[str, Json]],
    ) -> Any:
        """Act on an open proposal and journal it in one transaction, so that it is done once."""
        actor = agent(agent_name, self._job.workspace_id, behind=self._job.submitter)
        about: dict[str, Json] = {**asked, "proposal": outcome.proposal}

        def attempt() -> Json:
            store.hold(self._claimed)
            try:
                return {**act(actor), "proposal": outcome.proposal}
            except Busy:
                raise
            except Refused as refused:
                said: dict[str, Json] = {"refused": refused.sentence, "code": refused.code}
                return {**said, "proposal": outcome.proposal}

        if self._is_new():
            # Before the transaction: taking part does not wait for the disk, an answer does.
            self._take_part(agent_name)
        with transaction.atomic():
            return self._step("reply", verb, agent_name, about, attempt)

    def _await(self, proposal: str, name: str) -> Outcome:
        proposal_id = UUID(proposal)

        def look() -> Json:
            answer = approvals.answer(self._job.workspace_id, proposal_id)
            if answer.is_final:
                return answer.to_json()
            question = talking.open_question(proposal_id) if self._is_told(proposal) else None
            if question is None:
                raise Waiting(proposal_id)
            return {
                **answer.to_json(),
                "status": "question",
                "reason": question.question,
                "by": question.person.name,
                "number": question.number,
            }

        answer = self._step("outcome", name, "", {"proposal": proposal}, look)
        number: int = answer.get("number", 0)
        return Outcome(answer["status"], answer["reason"], answer["by"], proposal, number)

    def _is_new(self) -> bool:
        """Say whether the next step was never done before."""
        return self._index >= len(self._entries)

    def _is_told(self, proposal: str) -> bool:
        return proposal in self._conversing

    def _sources(self, params: dict[str, Any], stated: Sequence[Change]) -> list[dict[str, Json]]:
        """Trace the values of a proposal through what this run was asked and told."""
        workflow = workflows.find(self._job.workflow)
        asked = workflow.asked(self._job.input) if workflow else self._job.input
        seen = provenance.Seen.of([self._job.label, asked], self._results, self._record)
        placed = [(each.path, each.value) for each in stated if not isinstance(each.value, Absent)]
        return provenance.sources(seen, params, placed)

    def _odd(
        self, action_type: str, params: dict[str, Any], stated: Sequence[Change]
    ) -> tuple[proposing.Exhibit, ...]:
        """Return as evidence what somebody would find odd who had read along."""
        changes = [change.to_json() for change in stated]
        act = critic.Act(self._index - 1, action_type, params, changes)
        found = critic.flags(act, critic.acts(self._done))
        if not found:
            return ()
        return (proposing.Exhibit("Critic's flags", critic.NAME, critic.told(found)),)

    def _record(self) -> Json:
        head = snapshots.head(self._job.workspace_id, self._job.state_id)
        return snapshots.content(head.state_id, head.number)

    def _keep(self, entry: Entry) -> None:
        """Keep what the run was told, for tracing, and what it did, for the critic.

        Of the State, the record itself is asked.
        """
        kind, name, output = entry.kind, entry.name, entry.output
        is_told = kind in {"tool_call", "event"} or (kind, name) == ("memory", "recall")
        if is_told and name != "read_state" and output is not None:
            self._results.append(provenance.Result(entry.index, name, output))
        if kind in {"proposal", "tool_call"}:
            failed = bool(entry.error) or (isinstance(output, dict) and "refused" in output)
            self._done.append((entry.index, kind, name, entry.input, failed))

    def _step(
        self, kind: str, name: str, agent_name: str, asked: Json, work: Callable[[], Json]
    ) -> Any:
        index, digest = self._index, digest_of(asked)
        self._index += 1
        if index < len(self._entries):
            entry = self._entries[index]
            check(entry, kind, name, agent_name, digest)
            self._keep(entry)
            return _answered(entry)
        self._take_part(agent_name)
        started_at = _now()
        output, error = _attempt(work)
        fp("run.after_model")
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
        self._keep(entry)
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


def _wording(
    params: dict[str, Any],
    stated: Sequence[Change],
    evidence: Sequence[Exhibit],
    rationale: str,
) -> dict[str, Json]:
    return {
        "params": params,
        "stated": [change.to_json() for change in stated],
        "evidence": [[item.label, item.source, item.content, [*item.paths]] for item in evidence],
        "rationale": rationale,
    }


def _exhibits(evidence: Sequence[Exhibit]) -> tuple[proposing.Exhibit, ...]:
    return tuple(proposing.Exhibit(e.label, e.source, e.content, e.paths) for e in evidence)


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
    if kind in {"proposal", "reply"} and isinstance(output, dict) and "proposal" in output:
        return UUID(str(output["proposal"]))
    return None


def _now() -> datetime:
    return datetime.now(UTC)
