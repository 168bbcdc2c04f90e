"""Watch a run for its guards: what do they say before a call, after a step, at the end?

What they say is settled by the journal alone, except what others use at the same time, so that a
worker that takes the run over comes to the same. Writing it down is left to the journal.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from django.db import InterfaceError, OperationalError

from agents import happened, spending, windows
from agents.breaker import Watch
from agents.declarations import Finished, Put
from agents.guards import DEFAULTS, Number, Setting, settled
from agents.journal import Entry
from agents.models import Job
from agents.operations.weighing import weigh
from agents.queries import limits
from agents.spending import Elsewhere
from agents.store import Claim
from agents.trail import Event
from agents.verdicts import Verdict
from agents.workflows import Workflow
from console.canonical import Json
from console.locking import Busy

_OUTSIDE: Final = "outside_role"
# What is said of each step that it is about, however often.
_ASKED_EVERY_SECONDS: Final = 1.0
_EACH_TIME: Final = frozenset(
    {"identical_call", "outside_role", "work_redone", "false_authority", "second_opinion"}
)
_DAY: Final = ("day_tokens", "day_money")


@dataclass(slots=True)
class _Spent:
    """What a run has used so far."""

    tokens: int = 0
    money: Decimal = Decimal(0)
    seconds: float = 0.0


class Guards:
    """The guards of one run, fed with its journal in order."""

    def __init__(self, claimed: Claim, job: Job, workflow: Workflow) -> None:
        """Ask how they are set, and begin at the beginning."""
        self._claimed, self._workflow = claimed, workflow
        self._elsewhere = Elsewhere()
        # What went wrong while a rule was evaluated, until it was said.
        self._broken: list[Exception] = []
        self._failures = 0
        self.settings = self._set(job)
        self._has_budget = self._limits_any(spending.BUDGETS)
        self._has_day = self._limits_any(_DAY)
        self._watch = Watch(self.settings, workflow.roles)
        self._spent = _Spent()
        self._others = Elsewhere()
        self._asked_at: float | None = None
        self._noted: set[str] = set()
        self._unheard: dict[str, list[str]] = {}
        self._refused: list[Verdict] = []
        self._windows: set[tuple[str, str]] = set()
        self._breaches: list[int] = []
        self._proposals = _Proposals()
        # What the record said when it was read last.
        self._record: Json = None

    @property
    def seconds(self) -> float:
        """Return how long agents have worked; waiting for people does not count."""
        return self._spent.seconds

    def refusal(self, agent: str, name: str, *, writes: bool = False) -> str | None:
        """Say why an agent may not do this, or nothing; only what it declares binds it."""
        role = self._workflow.role(agent)
        if role is None or (name in role.action_types if writes else role.may_call(name)):
            return None
        verb = "propose" if writes else "call"
        return f"{agent} may not {verb} {name}: its role does not allow it. Nothing was done."

    def repeated(self, call: Event) -> Event | None:
        """Return the result that answers a reading call again, if nothing happened since."""
        if self.settings["identical_call"].limit is None:
            return None
        return _or_nothing(lambda: self._watch.repeated(call))

    def before(self, call: Event) -> list[Verdict]:
        """Return what is said of a call that is about to be made."""
        said = self._once(self._calmly(lambda: self._watch.before(call), call.actor))
        # Refused calls are written down like others; what is said of them comes behind them.
        self._refused = [verdict for verdict in said if verdict.rule == _OUTSIDE]
        return [_without(verdict, call.index) for verdict in said if verdict.rule != _OUTSIDE]

    def after(self, entry: Entry, answered_by: Event | None, *, is_last: bool) -> list[Verdict]:
        """Take in a step and return what is said of it.

        What changes by itself (the use of a day) is asked only where the journal ends.
        """
        refused, self._refused = self._refused, []
        self._proposals.take(entry)
        return [
            *(_at(verdict, entry.index) for verdict in refused),
            *self._again(entry, answered_by),
            *self._once(self._calmly(lambda: self._watched(entry), entry.agent)),
            *self._contract(entry),
            *self._calmly(lambda: self._window(entry), entry.agent),
            *self._calmly(lambda: self._weighed(entry, is_last=is_last), entry.agent),
            *self._calmly(lambda: self._budgets(entry, is_last=is_last), entry.agent),
        ]

    def at_end(
        self, record: Callable[[], Any], job_input: dict[str, Any], result: Json
    ) -> list[Verdict]:
        """Return what is said of a run that is about to end well."""
        return self._calmly(lambda: self._missing(record, job_input, result), "")

    def heard(self, verdict: Verdict) -> None:
        """Take in a verdict that stands in the journal."""
        if verdict.strength == "nudge":
            self.tell(verdict.agent, verdict.sentence)
        elif verdict.strength == "note":
            self._noted.add(verdict.rule)

    def tell(self, agent: str, sentence: str) -> None:
        """Keep a sentence until the agent is asked something."""
        self._unheard.setdefault(agent, []).append(sentence)

    def unheard(self, agent: str) -> list[str]:
        """Return what an agent is to be told and was not."""
        return [*self._unheard.get(agent, ())]

    def told(self, agent: str) -> None:
        """Take it that the agent has heard everything."""
        self._unheard.pop(agent, None)

    def forgive(self, rule: str, raised: Number | None) -> None:
        """Let the counters of a rule start anew, or have another limit from here on."""
        if raised is not None:
            self.settings[rule] = Setting(raised, self.settings[rule].strength)
        elif rule == "guard_failed":
            self._failures = 0
        elif rule == "contract":
            self._breaches = []
        self._watch.forgive(rule, raised)

    def _limits_any(self, rules: Iterable[str]) -> bool:
        return any(self.settings[rule].limit is not None for rule in rules)

    def _set(self, job: Job) -> dict[str, Setting]:
        try:
            found = limits.of_run(self._claimed.run_id)
            self._elsewhere = Elsewhere(found.job_tokens, found.job_money)
            declared = settled(self._workflow.guards, found.guards)
            budgets = {**found.budgets}
            if budgets["seconds"] is None:
                budgets["seconds"] = self._workflow.seconds
            return spending.tightened(settled(_layer(declared), found.raised), budgets)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001  (said as a verdict: the run pauses)
            self._broken.append(error)
            return dict(DEFAULTS)

    def _calmly(self, say: Callable[[], Sequence[Verdict]], agent: str) -> list[Verdict]:
        said: list[Verdict] = []
        try:
            said = [*say()]
        except (OperationalError, InterfaceError, Busy):
            raise
        except Exception as error:  # noqa: BLE001  (said as a verdict: the run pauses)
            self._broken.append(error)
        broken, self._broken = self._broken, []
        return [*said, *(self._failed(error, agent) for error in broken)]

    def _once(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        """Leave out what was noted before: a rule that only notes would fire at every step."""
        return [
            each
            for each in verdicts
            if each.strength != "note" or each.rule not in self._noted or each.rule in _EACH_TIME
        ]

    def _failed(self, error: Exception, agent: str) -> Verdict:
        self._failures += 1
        setting, name = self.settings["guard_failed"], type(error).__name__
        fires = setting.limit is None or self._failures >= setting.limit
        return Verdict(
            rule="guard_failed",
            strength=setting.strength if fires else "note",
            sentence=f"A guard could not be evaluated: {name}. Nobody knows what it would say.",
            agent=agent,
            numbers={"counted": self._failures, "limit": setting.limit, "exception": name},
        )

    def _watched(self, entry: Entry) -> list[Verdict]:
        events = [*self._moved(entry), *happened.events(entry)]
        return [verdict for event in events for verdict in self._watch.seen(event)]

    def _moved(self, entry: Entry) -> Iterator[Event]:
        """Take it as something that happened if the record says something else than before."""
        if (entry.kind, entry.name) != ("tool_call", happened.READ_RECORD) or entry.error:
            return
        read: Any = entry.output
        before, self._record = self._record, read["digest"]
        if before not in {None, self._record}:
            yield Event(entry.index, "outside", tool=entry.name, content=read)

    def _again(self, entry: Entry, answered_by: Event | None) -> Iterator[Verdict]:
        if answered_by is None or entry.error:
            return
        first = answered_by.index
        yield Verdict(
            rule="identical_call",
            strength="note",
            sentence=f"{entry.name} was answered from step {first}: it had the same arguments, "
            "and nothing was written and nothing happened in between.",
            began_at=first,
            steps=(first, entry.index),
            agent=entry.agent,
            numbers={"answered_by": first},
        )

    def _contract(self, entry: Entry) -> Iterator[Verdict]:
        if entry.kind != "handoff" or not entry.error:
            return
        self._breaches.append(entry.index)
        setting, times = self.settings["contract"], len(self._breaches)
        if setting.limit is None:
            return
        yield Verdict(
            rule="contract",
            strength=setting.strength if times >= setting.limit else "nudge",
            sentence=entry.error,
            began_at=self._breaches[0],
            steps=tuple(self._breaches),
            agent=entry.agent,
            numbers={"counted": times, "limit": setting.limit},
        )

    def _window(self, entry: Entry) -> list[Verdict]:
        """Say once for an agent that its window is nearly full, or full of repeats."""
        if entry.kind != "model_call" or not isinstance(entry.input, dict):
            return []
        role = self._workflow.role(entry.agent)
        tokens = role.window_tokens if role else None
        filled = windows.of_message(entry.input)
        step, agent = entry.index, entry.agent
        said = windows.noted(filled, self.settings, step=step, agent=agent, window_tokens=tokens)
        new = [each for each in said if (each.rule, agent) not in self._windows]
        self._windows |= {(each.rule, agent) for each in new}
        return new

    def _weighed(self, entry: Entry, *, is_last: bool) -> list[Verdict]:
        # What was found in a proposal is asked of its row, and only once.
        if not is_last:
            return []
        return [*weigh(self._claimed.workspace_id, entry, self.settings)]

    def _budgets(self, entry: Entry, *, is_last: bool) -> list[Verdict]:
        output: Any = entry.output or {}
        if entry.kind == "model_call":
            self._spent.tokens += output.get("tokens") or 0
            self._spent.money += Decimal(str(output.get("cost") or 0))
        ended_at, started_at = entry.ended_at or datetime.now(UTC), entry.started_at
        self._spent.seconds += (ended_at - started_at).total_seconds() if started_at else 0.0
        if not is_last or not self._has_budget:
            return []
        spent, elsewhere = self._spent, self._elsewhere
        # Asked only where something was used, and not by every step.
        if entry.kind == "model_call" and self._has_day:
            elsewhere = self._today()
        amounts = spending.used(spent.tokens, spent.money, spent.seconds, elsewhere)
        step, agent = entry.index, entry.agent
        return [
            *spending.verdicts(self.settings, amounts, step=step, agent=agent, noted=self._noted)
        ]

    def _today(self) -> Elsewhere:
        """Return what the workspace used today: asked once a second, with what this run added."""
        spent, now = self._spent, time.monotonic()
        if self._asked_at is None or now - self._asked_at >= _ASKED_EVERY_SECONDS:
            found = limits.used_elsewhere(self._claimed.workspace_id, self._elsewhere)
            self._asked_at = now
            # The day has this run's own use in it, so what it had then is not added again.
            self._others = replace(
                found,
                day_tokens=found.day_tokens - spent.tokens,
                day_money=found.day_money - spent.money,
            )
        others = self._others
        return replace(
            others,
            day_tokens=others.day_tokens + spent.tokens,
            day_money=others.day_money + spent.money,
        )

    def _missing(
        self, record: Callable[[], Any], job_input: dict[str, Any], result: Json
    ) -> list[Verdict]:
        setting, expects = self.settings["not_proposed"], self._workflow.expects
        if expects is None or setting.limit is None:
            return []
        finished = Finished(job_input, record(), self._proposals.put(), result)
        said: list[Json] = [*expects(finished)]
        if not said:
            return []
        fires = len(said) >= setting.limit
        return [
            Verdict(
                rule="not_proposed",
                strength=setting.strength if fires else "note",
                sentence=" ".join(map(str, said)),
                numbers={"counted": len(said), "limit": setting.limit, "items": said},
            )
        ]


@dataclass(slots=True)
class _Proposals:
    """What a run has put before people, by its journal, and what became of it."""

    _made: dict[str, Put] = field(default_factory=dict)
    _refused: list[Put] = field(default_factory=list)

    def take(self, entry: Entry) -> None:
        """Take in a step, if it is about a proposal."""
        output: Any = entry.output
        asked: Any = entry.input
        if entry.kind == "proposal" and "proposal" in (output or {}):
            put = Put(entry.name, asked["params"], "pending")
            self._made[output["proposal"]] = put
        elif entry.kind == "proposal" and not entry.error:
            self._refused.append(Put(entry.name, asked["params"], "refused"))
        elif entry.kind == "reply" and "revision" in (output or {}):
            place = asked["proposal"]
            self._made[place] = replace(self._made[place], params=asked["params"])
        elif entry.kind == "outcome" or (entry.kind == "reply" and "status" in (output or {})):
            place = asked["proposal"]
            self._made[place] = replace(self._made[place], status=output["status"])

    def put(self) -> list[Put]:
        """Return all of them, the refused ones last."""
        return [*self._made.values(), *self._refused]


def _layer(settings: dict[str, Setting]) -> dict[str, dict[str, Json]]:
    return {rule: setting.to_json() for rule, setting in settings.items()}


def _without(verdict: Verdict, step: int) -> Verdict:
    """Leave out a call that was not made yet, and perhaps never will be."""
    steps = tuple(each for each in verdict.steps if each != step)
    began_at = verdict.began_at if verdict.began_at != step else None
    return replace(verdict, steps=steps, began_at=began_at)


def _at(verdict: Verdict, step: int) -> Verdict:
    """Let a verdict about a refused call name the step in which it stands."""
    steps = (*verdict.steps[:-1], step)
    return replace(verdict, steps=steps, began_at=steps[0])


def _or_nothing(ask: Callable[[], Event | None]) -> Event | None:
    try:
        return ask()
    except Exception:  # noqa: BLE001  (the same rule says so itself before the call is made)
        return None
