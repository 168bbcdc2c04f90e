"""How does a team do a job: a coordinator, its specialists, a critic, or one alone in a hurry?

A team needs no function of its own. Its coordinator is told the job and hands parts of it over; a
specialist reads with its tools, proposes, and gives a result back. Where a critic is declared, it
works at the same task on the same snapshot before a proposal goes out, and never sees the draft.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol, TypedDict, Unpack

from agents import contracts, providers
from agents.declarations import Contract, Expectation, Role, Team
from agents.declared import FINISH, GIVE, HAND_OVER, NOTHING_TO_DO
from agents.moves import (
    Move,
    Task,
    carry_out,
    ending,
    memory_moves,
    proposal_moves,
    tool_moves,
    worded,
)
from agents.workflows import Context, Exhibit, Outcome, Provider, ToolFailed, ToolSpec, Workflow
from approvals import effects
from approvals.effects import CannotDo
from approvals.second_opinion import Second
from console.canonical import Json
from snapshots.content import NotContent
from snapshots.diff import BadChange, Change, DoesNotFit, diff

EVIDENCE_AT_MOST: Final = 15
_LABEL_AT_MOST, _CONTENT_AT_MOST = 200, 8_000
_TEXT: Final = {"type": "string", "minLength": 1}


class Action(Protocol):
    """What a team has to know of an action type; what a pack declares one with fits."""

    @property
    def name(self) -> str:
        """Return its name."""

    @property
    def label(self) -> str:
        """Return how people call it."""

    @property
    def params_schema(self) -> dict[str, Any]:
        """Return JSON Schema of its parameters."""

    @property
    def effect(self) -> str:
        """Return the name of its effect."""


class Settings(TypedDict, total=False):
    """What a workflow of a team may say besides; see `Workflow`."""

    input_schema: dict[str, Any]
    asked: Callable[[dict[str, Any]], Json]
    guards: Mapping[str, Mapping[str, Any]]
    expects: Expectation
    seconds: float
    at_once: int


def job_in_words(job_input: Mapping[str, Any]) -> str:
    """Return what a coordinator is told of a job: its input, as it is."""
    return json.dumps(job_input, ensure_ascii=False, sort_keys=True, indent=1)


def model_of(role: Role) -> Provider:
    """Return whom a role's model is asked from: what it names, or the installation's."""
    return providers.named(role.model)


@dataclass(frozen=True, slots=True)
class Bench:
    """A team and what it works with: its actions, how a job is worded, whose models it asks.

    `list_keys` say how items of the record's lists are told apart, as the State itself does.
    """

    team: Team
    actions: Sequence[Action] = ()
    told: Callable[[Mapping[str, Any]], str] = job_in_words
    provider: Callable[[Role], Provider] = model_of
    list_keys: Mapping[str, str] = field(default_factory=dict)


def team_workflow(name: str, label: str, bench: Bench, **settings: Unpack[Settings]) -> Workflow:
    """Return a workflow in which a team does the job."""
    team = bench.team
    return Workflow(
        name,
        label,
        partial(lead, bench),
        roles=team.roles,
        team=team,
        tools=_tools(team),
        proposes=tuple(action.name for action in bench.actions),
        **settings,
    )


def lead(bench: Bench, context: Context) -> Json:
    """Do the job: together, or by one alone where the time is too short for a team."""
    play = _Play(bench, context)
    result = _together_or_alone(play)
    return {"result": result, "left_out": [*play.left_out]}


class _TooLate(Exception):
    """There is no time for a part of the work that cannot be left out."""


@dataclass(slots=True)
class _Play:
    """One run of a team: what it knows of the record, and whom it did without."""

    bench: Bench
    context: Context
    left_out: list[str] = field(default_factory=list)
    _record: Any = None
    _is_read: bool = False

    @property
    def team(self) -> Team:
        return self.bench.team

    def record(self, reader: str) -> Any:
        """Return the record as the team reads it now, once until something was decided."""
        if not self._is_read:
            self._record, self._is_read = self.context.read(agent=reader), True
        return self._record

    def look_again(self) -> None:
        """Read the record anew when it is needed: what was decided may have changed it."""
        self._is_read = False

    def leave_out(self, agent: str, why: str) -> None:
        """Keep for people whom the team did without."""
        said = f"{agent}: {why}"
        if said not in self.left_out:
            self.left_out.append(said)


@dataclass(slots=True)
class _Seat:
    """One agent at its task: in words, with a value that it is about, and what its tools told."""

    role: Role
    words: str
    about: Json = None
    seen: list[Exhibit] = field(default_factory=list)


def _together_or_alone(play: _Play) -> Json:
    team, context = play.team, play.context
    if team.alone is not None and not context.has_time_for(team.coordinator.name):
        return _alone(play, team.alone, "no time for a team")
    try:
        return _coordinated(play)
    except _TooLate as late:
        if team.alone is None:
            raise
        return _alone(play, team.alone, str(late))


def _coordinated(play: _Play) -> Json:
    role = play.team.coordinator
    seat = _Seat(role, play.bench.told(play.context.job_input), play.context.job_input)
    over = [_handover(play, seat, specialist) for specialist in play.team.specialists]
    return _seated(play, seat, [*_own(play, seat), *over, _finish(play, role)])


def _alone(play: _Play, role: Role, why: str) -> Json:
    play.leave_out("the team", why)
    seat = _Seat(role, play.bench.told(play.context.job_input), play.context.job_input)
    play.context.handoff(
        from_agent=play.team.coordinator.name,
        to_agent=role.name,
        content=seat.words,
        value=seat.about,
    )
    return _seated(play, seat, [*_own(play, seat), _finish(play, role)])


def _handover(play: _Play, giver: _Seat, specialist: Role) -> Move:
    takes: dict[str, Any] = {"task": dict(_TEXT)}
    if specialist.takes is not None:
        takes["about"] = dict(specialist.takes.schema)
    spec = ToolSpec(
        f"{HAND_OVER}{_as_word(specialist.name)}",
        f"Give {specialist.name} a task. {specialist.purpose}",
        {"type": "object", "properties": takes, "required": [*takes]},
    )
    return Move(spec, partial(_hand_over, play, giver, specialist))


def _hand_over(play: _Play, giver: _Seat, specialist: Role, args: Mapping[str, Any]) -> Json:
    """Let a specialist work at a task and return what it gives back. Raises: ToolFailed."""
    task, about = args.get("task"), args.get("about")
    if not isinstance(task, str) or not task.strip():
        raise ToolFailed("A task is words that say what is to be done.")
    if not _is_in_time(play, specialist):
        return {"left_out": f"There is no time for {specialist.name}; go on without."}
    play.context.handoff(
        from_agent=giver.role.name, to_agent=specialist.name, content=task, value=about
    )
    words = task if about is None else f"{task}\n\n{worded(about)}"
    seat = _Seat(specialist, words, about)
    return _seated(play, seat, [*_own(play, seat), _give(play, specialist)])


def _is_in_time(play: _Play, specialist: Role) -> bool:
    """Say whether a specialist works, or is left out. Raises: _TooLate, if another must do it."""
    if not specialist.optional and play.team.alone is None:
        return True
    if play.context.has_time_for(specialist.name):
        return True
    if not specialist.optional:
        raise _TooLate(f"no time for {specialist.name}")
    play.leave_out(specialist.name, "no time")
    return False


def _own(play: _Play, seat: _Seat) -> list[Move]:
    """Return what an agent may do by itself: read, keep in mind, propose."""
    return [
        *_reading(play, seat),
        *memory_moves(play.context, seat.role),
        *proposal_moves(seat.role, _schemas(play.bench), partial(_propose, play, seat)),
    ]


def _reading(play: _Play, seat: _Seat) -> list[Move]:
    moves = tool_moves(play.context, seat.role, partial(play.record, seat.role.name))
    return [Move(move.spec, partial(_read, seat, move)) for move in moves]


def _read(seat: _Seat, move: Move, args: Mapping[str, Any]) -> Json:
    answer = move.act(args)
    said = f"{move.spec.name} {worded(dict(args))}"[:_LABEL_AT_MOST]
    content = json.dumps(answer, ensure_ascii=False, indent=1)[:_CONTENT_AT_MOST]
    if all(item.source != said for item in seat.seen):
        seat.seen.append(Exhibit(move.spec.name, said, content))
    return answer


def _propose(play: _Play, seat: _Seat, name: str, args: Mapping[str, Any]) -> Json:
    """Put an action before people and return what became of it. Raises: ToolFailed."""
    params, why = args.get("params"), args.get("rationale")
    if not isinstance(params, dict) or not isinstance(why, str):
        raise ToolFailed("A proposal has params, an object, and a rationale.")
    second = _second_opinion(play, seat, name)
    evidence = seat.seen[-EVIDENCE_AT_MOST:]
    if play.left_out:
        left_out = "\n".join(play.left_out)
        evidence = [*evidence, Exhibit("Pruned", "time", left_out)]
        why = f"{why}\n\nLeft out: {'; '.join(play.left_out)}."
    outcome = play.context.propose(
        agent=seat.role.name,
        action_type=name,
        params=params,
        evidence=evidence,
        rationale=why,
        second=second,
    )
    play.look_again()
    return _told(outcome)


def _told(outcome: Outcome) -> Json:
    """Return what became of a proposal. Raises: ToolFailed, when it could not be made at all."""
    if outcome.status == "refused":
        raise ToolFailed(outcome.reason)
    return {"status": outcome.status, "reason": outcome.reason}


def _second_opinion(play: _Play, seat: _Seat, action_type: str) -> Second | None:
    """Return what the critic would do about the same task, if it is asked about such actions.

    A critic that fails, or for whom there is no time, is left out, and people are told.
    """
    critic = play.team.critic
    if critic is None or critic.name == seat.role.name or action_type not in critic.action_types:
        return None
    if critic.optional and not play.context.has_time_for(critic.name):
        play.leave_out(critic.name, "no time")
        return None
    try:
        play.context.handoff(
            from_agent=seat.role.name,
            to_agent=critic.name,
            content=seat.words,
            value=seat.about,
        )
        named: Any = _seated(play, _Seat(critic, seat.words), _doubting(play, critic))
    except ToolFailed as failed:
        play.leave_out(critic.name, str(failed))
        return None
    return _opinion(play, critic, named)


def _doubting(play: _Play, critic: Role) -> list[Move]:
    """Return what a critic may do: read, and name what it would do, or that nothing is to do."""

    def name_action(name: str, args: Mapping[str, Any]) -> Json:
        if not isinstance(args.get("params"), dict):
            raise ToolFailed("A proposal has params, an object, and a rationale.")
        return {"action_type": name, "params": args["params"], "why": args.get("rationale", "")}

    nothing = ending(NOTHING_TO_DO, "Say that nothing is to be proposed, and why.", _TEXT, "why")
    moves = tool_moves(play.context, critic, partial(play.record, critic.name))
    return [
        *moves,
        *proposal_moves(critic, _schemas(play.bench), name_action, ends=True),
        Move(nothing, lambda args: {"why": str(args.get("why", ""))}, ends=True),
    ]


def _opinion(play: _Play, critic: Role, named: Mapping[str, Any]) -> Second:
    action_type, params = named.get("action_type", ""), named.get("params", {})
    return Second(
        agent=critic.name,
        action_type=action_type,
        params=params,
        changes=_effect(play, critic, action_type, params),
        why=str(named["why"]),
    )


def _effect(
    play: _Play, critic: Role, action_type: str, params: dict[str, Any]
) -> tuple[Change, ...]:
    """Return what an action would change; what is not possible changes nothing."""
    action = next((each for each in play.bench.actions if each.name == action_type), None)
    if action is None:
        return ()
    document = play.record(critic.name)
    try:
        after = effects.resolve(action.effect, []).preview(document, params)
        return tuple(diff(document, after, keys=play.bench.list_keys))
    except (CannotDo, BadChange, DoesNotFit, NotContent, LookupError):
        return ()


def _finish(play: _Play, role: Role) -> Move:
    return _ending(play, role, FINISH, "End the job with its result.", "result")


def _give(play: _Play, role: Role) -> Move:
    return _ending(play, role, GIVE, "Hand back what you were asked for.", "value")


def _ending(play: _Play, role: Role, name: str, description: str, member: str) -> Move:
    contract = role.gives or Contract()
    schema = contract.schema if role.gives else {"description": "What was found or done."}

    def give(args: Mapping[str, Any]) -> Json:
        value = args.get(member)
        if contracts.is_nothing(value) and role.gives is None:
            raise ToolFailed(contracts.NOTHING)
        return play.context.give(agent=role.name, value=value)

    return Move(ending(name, description, schema, member), give, ends=True)


def _seated(play: _Play, seat: _Seat, moves: Sequence[Move]) -> Json:
    provider = play.bench.provider(seat.role)
    return carry_out(play.context, Task(seat.role, seat.words, tuple(moves), provider))


def _schemas(bench: Bench) -> dict[str, tuple[str, Mapping[str, Any]]]:
    return {action.name: (action.label, action.params_schema) for action in bench.actions}


def _tools(team: Team) -> tuple[Any, ...]:
    found = {tool.name: tool for role in team.roles for tool in role.tools}
    return tuple(found.values())


def _as_word(name: str) -> str:
    return "".join(each if each.isalnum() else "_" for each in name)
