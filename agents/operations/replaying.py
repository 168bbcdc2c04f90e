"""Guide a workflow through its journal: what it may ask for, and how each of it is a step."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from agents import contracts, forecasting, memory, modelling
from agents.declarations import Contract
from agents.happened import READ_RECORD
from agents.journal import Entry
from agents.models import Job
from agents.operations import drafting, remembering
from agents.operations.ending import Outdated
from agents.operations.guarding import Guards
from agents.operations.journaling import Cost, Journal, Task
from agents.operations.putting import Putting, Seen, Waiting, Wording
from agents.queries import times
from agents.store import Claim
from agents.verdicts import Verdict
from agents.workflows import (
    ContractBroken,
    Exhibit,
    Message,
    ModelFailed,
    Outcome,
    Provider,
    Reply,
    ToolFailed,
    Turn,
    Workflow,
)
from approvals.second_opinion import Second
from console.actors import Actor, agent
from console.canonical import Json
from snapshots import queries as snapshots
from snapshots.diff import Change
from snapshots.operations.committing import lock
from snapshots.operations.observing import observe

__all__ = ["Journaled", "Waiting"]

AS_A_TOOL = f"{READ_RECORD} (as a tool)"
NOT_REVISED = "This workflow does not word its proposals anew."


class Journaled:
    """The context of one run in the hands of one worker."""

    def __init__(
        self, claimed: Claim, job: Job, workflow: Workflow, entries: Sequence[Entry]
    ) -> None:
        """Start at the beginning of the journal."""
        self.job_input: dict[str, Any] = job.input
        self._claimed, self._job, self._workflow = claimed, job, workflow
        self._record_number: int | None = None
        self._memory_epochs: dict[str, int] = {}
        # Who asked whom last, so that what an agent gives goes back to whoever asked.
        self._askers: dict[str, str] = {}
        seen = Seen()
        self._guards = Guards(claimed, job, workflow)
        self._journal = Journal(claimed, entries, self._guards, seen.keep)
        self._putting = Putting(self._journal, job, workflow, seen)

    def read(self, *, agent: str) -> Any:
        """Return the State's document; on replay, the version that was read first."""
        head = snapshots.head(self._job.workspace_id, self._job.state_id)
        seen = self._journal.step(
            Task(
                "tool_call",
                READ_RECORD,
                agent,
                {"state": head.key},
                lambda: {"snapshot": head.number, "digest": head.digest},
            )
        )
        self._record_number = seen["snapshot"]
        return snapshots.content(self._job.state_id, seen["snapshot"])

    def tool(
        self, *, agent: str, name: str, args: dict[str, Any], function: Callable[[], Json]
    ) -> Json:
        """Call a reading tool once; later only its recorded answer. Raises: ToolFailed."""
        # Reading the record is watched by nobody, so no tool has its name, whoever calls for one.
        name = AS_A_TOOL if name == READ_RECORD else name
        refusal = self._guards.refusal(agent, name)

        def refuse() -> Json:
            raise ToolFailed(refusal)

        work = refuse if refusal else function
        answer: Json = self._journal.step(Task("tool_call", name, agent, args, work))
        return answer

    def model(self, *, agent: str, message: Message, provider: Provider) -> Reply:
        """Ask a model once; later only its recorded answer. Raises: ModelFailed."""
        message = _with_notices(message, self._guards.unheard(agent))
        self._guards.told(agent)
        cost = Cost()

        def ask() -> Json:
            try:
                reply = drafting.ask(self._claimed, self._journal.at, agent, message, provider)
            except modelling.Cut as cut:
                cost.tokens, cost.money = cut.tokens, cut.money
                raise
            cost.tokens, cost.money = reply.tokens, modelling.money_of(reply)
            return modelling.reply_to_json(reply)

        asked = modelling.message_to_json(message)
        task = Task("model_call", provider.name, agent, asked, ask, cost=cost)
        try:
            kept = self._journal.step(task)
        except ToolFailed as failed:
            raise ModelFailed(str(failed)) from failed
        return modelling.reply_from_json(kept)

    def nudges(self, *, agent: str) -> list[str]:
        """Return what guards tell an agent and it has not heard."""
        return self._guards.unheard(agent)

    def handoff(self, *, from_agent: str, to_agent: str, content: str, value: Json = None) -> None:
        """Journal that one agent passes the work to another. Raises: ContractBroken."""
        role = self._workflow.role(to_agent)
        asked: dict[str, Json] = {"content": content}
        if value is not None:
            asked["value"] = value
        self._keep_contract(to_agent, from_agent, asked, role.takes if role else None, value)
        self._askers[to_agent] = from_agent

    def give(self, *, agent: str, value: Json) -> Json:
        """Hand back what an agent was asked for, and return it. Raises: ContractBroken."""
        role = self._workflow.role(agent)
        asker = self._askers.get(agent, "")
        self._keep_contract(asker, agent, {"gives": value}, role.gives if role else None, value)
        return value

    def has_time_for(self, agent: str) -> bool:
        """Say whether an agent's turn fits into the time that is left."""
        return self._journal.ask("latency", agent, lambda: self._too_late(agent)) is None

    def observe(self, *, name: str, args: dict[str, Any], changes: Sequence[Change]) -> None:
        """Take in an outside change as the State's next snapshot, once."""
        asked: dict[str, Json] = {"args": args, "changes": [c.to_json() for c in changes]}
        outside = Actor("system", "outside", "Outside event", self._job.workspace_id)

        def take_in() -> Json:
            if not changes:
                return None
            self._stop_if_outdated()
            snapshot = observe(
                actor=outside,
                state_id=self._job.state_id,
                changes=list(changes),
                cause_id=f"{self._claimed.run_id}:{self._journal.at}",
                reason=name,
                now=_now(),
            )
            return {"snapshot": snapshot.number}

        self._journal.step(Task("event", name, "", asked, take_in, held=bool(changes)))

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
        role = self._workflow.role(agent)
        memo = contracts.memo_for(role, subject) if role else None
        if expires_in is None and memo is not None:
            expires_in = memo.expires_in
        note = memory.Note(subject, value, confidence, expires_in, tuple(derived_from))

        def keep(actor: Actor, place: remembering.Place) -> dict[str, Json]:
            if role and (objection := contracts.objection_to_memo(role, subject, value)):
                raise ToolFailed(objection)
            return remembering.remember(actor=actor, place=place, note=note, now=_now())

        entry: str = self._in_mind("remember", agent, note.to_json(), keep)["entry"]
        return entry

    def forget(self, *, agent: str, entry: str) -> None:
        """Take an entry out of the agent's mind."""

        def let_go(actor: Actor, place: remembering.Place) -> dict[str, Json]:
            return remembering.forget(actor=actor, place=place, entry_id=entry, now=_now())

        self._in_mind("forget", agent, {"entry": entry}, let_go)

    def propose(  # noqa: PLR0913  (what a proposal is)
        self,
        *,
        agent: str,
        action_type: str,
        params: dict[str, Any],
        stated: Sequence[Change] = (),
        evidence: Sequence[Exhibit] = (),
        rationale: str = "",
        converses: bool = False,
        second: Second | None = None,
    ) -> Outcome:
        """Propose once, then wait for the outcome without holding a worker."""
        wording = Wording(params, stated, evidence, rationale)
        outcome = self._putting.propose(
            agent, action_type, wording, converses=converses, second=second
        )
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
        wording = Wording(params, stated, evidence, rationale)
        return self._putting.revise(outcome, agent, wording, why)

    def answer(self, outcome: Outcome, *, agent: str, text: str) -> Outcome:
        """Answer once, unless somebody else did, then wait for the outcome."""
        return self._putting.answer(outcome, agent, text)

    def withdraw(self, outcome: Outcome, *, agent: str, reason: str) -> Outcome:
        """Take it back once; what was settled meanwhile stays as it is."""
        return self._putting.withdraw(outcome, agent, reason)

    def finish(self, result: Json) -> None:
        """Hear what guards say of this ending. Raises: Nondeterministic, Paused, Terminated."""

        def say() -> Iterator[Verdict]:
            yield from self._guards.at_end(self._putting.record, self.job_input, result)

        self._journal.close(say)

    def _keep_contract(
        self,
        to_agent: str,
        from_agent: str,
        asked: dict[str, Json],
        contract: Contract | None,
        value: Json,
    ) -> None:
        """Journal a handoff; what does not keep its contract is an error in the trace, too."""

        def look() -> None:
            if contract is None:
                return
            if said := contracts.objections(contract, value, self._putting.record()):
                raise ToolFailed(" ".join(said))

        try:
            self._journal.step(Task("handoff", to_agent, from_agent, asked, look))
        except ToolFailed as broken:
            raise ContractBroken(str(broken)) from broken

    def _too_late(self, agent_name: str) -> Verdict | None:
        setting = self._guards.settings["latency"]
        whole = self._guards.settings["seconds"].limit
        if setting.limit is None or whole is None:
            return None
        left = float(whole) - self._guards.seconds
        history = times.history(self._job.workspace_id, self._job.workflow)
        chain = forecasting.ahead(agent_name, self._workflow.team, self._askers)
        why = forecasting.objection(chain, history, left)
        if why is None:
            return None
        return Verdict(
            rule="latency",
            strength=setting.strength,
            sentence=why,
            agent=agent_name,
            numbers={"left": round(left, 3), "limit": whole},
        )

    def _in_mind(
        self,
        verb: str,
        agent_name: str,
        asked: Json,
        work: Callable[[Actor, remembering.Place], dict[str, Json]],
    ) -> Any:
        actor = agent(agent_name, self._job.workspace_id, behind=self._job.submitter)

        def attempt() -> Json:
            place = remembering.Place(
                claimed=self._claimed,
                record_id=self._job.state_id,
                record_key=self._job.state.key,
                step=self._journal.at,
                record_number=self._record_number,
                memory_epoch=self._memory_epochs.get(agent_name),
            )
            try:
                return work(actor, place)
            except remembering.MemoryRefused as refused:
                raise ToolFailed(refused.sentence) from refused

        task = Task("memory", verb, agent_name, asked, attempt, held=verb != "recall")
        found = self._journal.step(task)
        # What a later epoch says of this memory is not for a run that began before it.
        self._memory_epochs.setdefault(agent_name, found["epoch"])
        return found

    def _stop_if_outdated(self) -> None:
        """Leave the State alone if it was brought back after this run began. Raises: Outdated."""
        head = lock(self._job.workspace_id, self._job.state_id)
        if head.epoch != self._claimed.epoch:
            raise Outdated


def _with_notices(message: Message, sentences: Sequence[str]) -> Message:
    """Return the question with what guards tell the agent, each as a turn of its own."""
    if not sentences:
        return message
    told = tuple(Turn("user", f"Notice: {said}", filled_by="notice") for said in sentences)
    return Message(message.instructions, message.content, (*message.turns, *told), message.tools)


def _now() -> datetime:
    return datetime.now(UTC)
