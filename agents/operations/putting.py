"""Put an action of a run before people, converse about it, and learn what became of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from agents import critic, provenance
from agents.journal import Entry, Nondeterministic
from agents.models import Job
from agents.operations.ending import Outdated
from agents.operations.journaling import Journal, Task
from agents.workflows import Exhibit, Outcome, Workflow
from approvals import queries as approvals
from approvals.operations import asking, proposing, rewording, withdrawing
from approvals.queries import talking
from approvals.second_opinion import Second
from console.actors import Actor, agent
from console.canonical import Json
from console.errors import KeyReused, Refused
from console.locking import Busy
from snapshots import queries as snapshots
from snapshots.diff import Absent, Change
from snapshots.operations.committing import EpochPassed

WAKE_TASK = "agents.wake"
_REFUSED: dict[str, Json] = {"code": "outside_role"}
# The proposal has ended meanwhile; how is the next thing the workflow learns.
_OVER = {"already_settled", "not_pending"}


class Waiting(BaseException):
    """The workflow waits for a decision; not an error, so no workflow can catch it by accident."""

    def __init__(self, proposal_id: UUID) -> None:
        """Keep the proposal that is waited for."""
        self.proposal_id = proposal_id
        super().__init__(str(proposal_id))


@dataclass(frozen=True, slots=True)
class Wording:
    """What an agent proposes, in its own words, with what it has seen."""

    params: dict[str, Any]
    stated: Sequence[Change] = ()
    evidence: Sequence[Exhibit] = ()
    rationale: str = ""

    def to_json(self) -> dict[str, Json]:
        """Return what the journal keeps."""
        shown: list[Json] = [
            [item.label, item.source, item.content, [*item.paths]] for item in self.evidence
        ]
        return {
            "params": self.params,
            "stated": [change.to_json() for change in self.stated],
            "evidence": shown,
            "rationale": self.rationale,
        }

    @property
    def exhibits(self) -> tuple[proposing.Exhibit, ...]:
        """Return the evidence as a proposal takes it."""
        return tuple(
            proposing.Exhibit(e.label, e.source, e.content, e.paths) for e in self.evidence
        )


@dataclass(slots=True)
class Seen:
    """What the run was told, for tracing values, and what it did, for the critic."""

    results: list[provenance.Result] = field(default_factory=list)
    done: list[tuple[int, str, str, Json, bool]] = field(default_factory=list)

    def keep(self, entry: Entry) -> None:
        """Take in a step; of the State, the record itself is asked."""
        kind, name, output = entry.kind, entry.name, entry.output
        is_told = kind in {"tool_call", "event"} or (kind, name) == ("memory", "recall")
        if is_told and name != "read_state" and output is not None:
            self.results.append(provenance.Result(entry.index, name, output))
        if kind in {"proposal", "tool_call"}:
            failed = bool(entry.error) or (isinstance(output, dict) and "refused" in output)
            self.done.append((entry.index, kind, name, entry.input, failed))


class Putting:
    """The proposals of one run in the hands of one worker."""

    def __init__(self, journal: Journal, job: Job, workflow: Workflow, seen: Seen) -> None:
        """Begin with none."""
        self._journal, self._job, self._workflow, self._seen = journal, job, workflow, seen
        self._conversing: set[str] = set()

    def propose(
        self,
        agent_name: str,
        action_type: str,
        wording: Wording,
        *,
        converses: bool,
        second: Second | None,
    ) -> Outcome:
        """Propose once, then wait for the outcome without holding a worker."""
        asked = wording.to_json()
        if converses:
            asked["converses"] = True
        if second is not None:
            asked["second"] = second.to_json()

        refusal = self._journal.guards.refusal(agent_name, action_type, writes=True)
        made = self._journal.step(
            Task(
                "proposal", action_type, agent_name, asked, lambda: {**_REFUSED, "refused": refusal}
            )
            if refusal
            else self._putting_forward(agent_name, action_type, wording, asked, second)
        )
        if "refused" in made:
            return Outcome("refused", made["refused"])
        if converses:
            self._conversing.add(made["proposal"])
        return self._await(made["proposal"], action_type)

    def revise(self, outcome: Outcome, agent_name: str, wording: Wording, why: str) -> Outcome:
        """Word it anew once, then wait for the outcome."""
        asked = {**wording.to_json(), "why": why}
        sources: list[dict[str, Json]] = []

        def prepare() -> None:
            sources.extend(self._sources(wording))

        def word_anew(actor: Actor) -> dict[str, Json]:
            number = rewording.reword(
                actor=actor,
                proposal_id=UUID(outcome.proposal),
                params=wording.params,
                stated=wording.stated,
                evidence=wording.exhibits,
                rationale=wording.rationale,
                sources=sources,
                why=why,
                now=_now(),
            )
            return {"revision": number}

        done = self._reply("revise", agent_name, outcome, asked, word_anew, prepare)
        return self._after(done, outcome, "revise")

    def answer(self, outcome: Outcome, agent_name: str, text: str) -> Outcome:
        """Answer once, unless somebody else did, then wait for the outcome."""
        proposal_id = UUID(outcome.proposal)

        def tell(actor: Actor) -> dict[str, Json]:
            waiting = talking.open_question(proposal_id)
            if waiting is None or waiting.number != outcome.number:
                return {"answered": False}
            asking.answer(actor=actor, proposal_id=proposal_id, text=text, now=_now())
            return {"answered": True}

        asked: dict[str, Json] = {"text": text, "number": outcome.number}
        done = self._reply("answer", agent_name, outcome, asked, tell)
        return self._after(done, outcome, "answer")

    def withdraw(self, outcome: Outcome, agent_name: str, reason: str) -> Outcome:
        """Take it back once; what was settled meanwhile stays as it is."""

        def take_back(actor: Actor) -> dict[str, Json]:
            status = withdrawing.withdraw(
                actor=actor, proposal_id=UUID(outcome.proposal), reason=reason, now=_now()
            )
            return {"status": status}

        done = self._reply("withdraw", agent_name, outcome, {"reason": reason}, take_back)
        if "refused" in done:
            return replace(outcome, status="refused", reason=done["refused"], by="")
        return Outcome(done["status"], reason, agent_name, outcome.proposal)

    def _putting_forward(
        self,
        agent_name: str,
        action_type: str,
        wording: Wording,
        asked: Json,
        second: Second | None,
    ) -> Task:
        requests: list[proposing.Request] = []

        def prepare() -> None:
            # Traced before the transaction, which is to hold its locks for a moment only.
            requests.append(self._request(action_type, wording, second))

        def put_forward() -> Json:
            return self._propose(agent_name, requests[0])

        return Task(
            "proposal", action_type, agent_name, asked, put_forward, held=True, prepare=prepare
        )

    def _request(
        self, action_type: str, wording: Wording, second: Second | None
    ) -> proposing.Request:
        claimed = self._journal.claimed
        return proposing.Request(
            state_key=self._job.state.key,
            action_type=action_type,
            params=wording.params,
            origin=f"run:{claimed.run_id}",
            origin_step=str(self._journal.at),
            stated=tuple(wording.stated),
            evidence=(*wording.exhibits, *self._odd(action_type, wording)),
            rationale=wording.rationale,
            wake_task=WAKE_TASK,
            lineage=tuple(self._job.lineage),
            epoch=claimed.epoch,
            sources=tuple(self._sources(wording)),
            second=second,
        )

    def _propose(self, agent_name: str, request: proposing.Request) -> Json:
        actor = self._actor(agent_name)
        try:
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

    def _reply(
        self,
        verb: str,
        agent_name: str,
        outcome: Outcome,
        asked: dict[str, Json],
        act: Callable[[Actor], dict[str, Json]],
        prepare: Callable[[], None] | None = None,
    ) -> Any:
        """Act on an open proposal and journal it in one transaction, so that it is done once."""
        actor = self._actor(agent_name)
        about: dict[str, Json] = {**asked, "proposal": outcome.proposal}

        def attempt() -> Json:
            try:
                return {**act(actor), "proposal": outcome.proposal}
            except Busy:
                raise
            except Refused as refused:
                said: dict[str, Json] = {"refused": refused.sentence, "code": refused.code}
                return {**said, "proposal": outcome.proposal}

        return self._journal.step(
            Task("reply", verb, agent_name, about, attempt, held=True, prepare=prepare)
        )

    def _after(self, done: dict[str, Any], outcome: Outcome, name: str) -> Outcome:
        if "refused" in done and done["code"] not in _OVER:
            return replace(outcome, status="refused", reason=done["refused"], by="")
        return self._await(outcome.proposal, name)

    def _await(self, proposal: str, name: str) -> Outcome:
        proposal_id = UUID(proposal)

        def look() -> Json:
            answer = approvals.answer(self._job.workspace_id, proposal_id)
            if answer.is_final:
                return answer.to_json()
            is_told = proposal in self._conversing
            question = talking.open_question(proposal_id) if is_told else None
            if question is None:
                raise Waiting(proposal_id)
            return {
                **answer.to_json(),
                "status": "question",
                "reason": question.question,
                "by": question.person.name,
                "number": question.number,
            }

        answer = self._journal.step(Task("outcome", name, "", {"proposal": proposal}, look))
        number: int = answer.get("number", 0)
        return Outcome(answer["status"], answer["reason"], answer["by"], proposal, number)

    def _actor(self, agent_name: str) -> Actor:
        return agent(agent_name, self._job.workspace_id, behind=self._job.submitter)

    def _sources(self, wording: Wording) -> list[dict[str, Json]]:
        """Trace the values of a proposal through what this run was asked and told."""
        asked = self._workflow.asked(self._job.input)
        seen = provenance.Seen.of([self._job.label, asked], self._seen.results, self.record)
        placed = [
            (each.path, each.value) for each in wording.stated if not isinstance(each.value, Absent)
        ]
        return provenance.sources(seen, wording.params, placed)

    def _odd(self, action_type: str, wording: Wording) -> tuple[proposing.Exhibit, ...]:
        """Return as evidence what somebody would find odd who had read along."""
        changes = [change.to_json() for change in wording.stated]
        act = critic.Act(self._journal.at, action_type, wording.params, changes)
        found = critic.flags(act, critic.acts(self._seen.done))
        if not found:
            return ()
        return (proposing.Exhibit("Critic's flags", critic.NAME, critic.told(found)),)

    def record(self) -> Json:
        """Return the record as it stands now."""
        head = snapshots.head(self._job.workspace_id, self._job.state_id)
        return snapshots.content(head.state_id, head.number)


def _now() -> datetime:
    return datetime.now(UTC)
