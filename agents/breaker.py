"""Does a run still get anywhere, or does it go round in circles?

A watch is fed a run's events one after the other, by the engine while the run works and by the
measuring over recorded runs, and says which rules fire. What marks a loop is no progress: the
same call, the same answer, nothing written in between. It keeps counters only; one event costs
the same at the end of a run as at its beginning.

A result of a call that writes has changed something, unless it is an error. Words of a person
(`PEOPLE`) come from outside: to look again after them is no loop.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from agents.counting import Count, Counts, in_steps, times, with_one_more
from agents.declarations import Role
from agents.guards import DEFAULTS, NOTED_AT, Number, Settings
from agents.handing_over import Handoffs
from agents.trail import Event
from agents.verdicts import Strength, Verdict

PEOPLE: Final = frozenset({"user", "people"})
_READS, _WRITES = "reads_of_one_tool", "writes_of_one_kind"
# What is over as soon as something was written or happened outside.
_UNTIL_SOMETHING_HAPPENS: Final = ("nothing_new", "round_trips", "talk")


@dataclass(slots=True)
class _Same:
    """What one call answers as long as nothing happens, how often it did, and since when."""

    result: Event
    world: tuple[int, int]
    count: Count


class Watch:
    """The rules of one run, fed with its events in their order.

    Shape: ask `before` about a call that is about to be made, which changes nothing; then tell
    `seen` every event, that call included, also when it was refused. A verdict of `outside_role`
    means that the call must be refused, whatever its strength.
    """

    def __init__(self, settings: Settings, roles: Iterable[Role] = ()) -> None:
        """Watch a run with these settings; rules that they do not name are as by default."""
        self._counts = Counts(settings)
        self._handoffs = Handoffs(self._counts)
        self._roles = {role.name: role for role in roles}
        tools = [tool for role in self._roles.values() for tool in role.tools]
        self._rereads = {tool.name for tool in tools if tool.rereads}
        self._own_limits: dict[str, Number] = {
            tool.name: tool.max_calls for tool in tools if tool.max_calls is not None
        }
        self._asked: dict[str, Event] = {}
        # How often something was written or happened outside, and how often a person spoke.
        self._world = (0, 0)
        self._same: dict[str, _Same] = {}
        self._results: set[str] = set()

    def before(self, call: Event) -> list[Verdict]:
        """Return what the rules say of a call that is about to be made."""
        return [
            *self._outside_role(call),
            *self._identical(call),
            *self._calls(call),
            *self._of_one_kind(call),
        ]

    def seen(self, event: Event) -> list[Verdict]:
        """Take in an event that happened and return what the rules say of it."""
        match event.kind:
            case "call":
                self._take_call(event)
            case "result":
                return [*self._take_result(event)]
            case "handoff":
                self._counts.begin_anew("talk")
                return [*self._handoffs.seen(event)]
            case "outside":
                self._something_happened()
            case "message":
                return [*self._take_words(event)]
        return []

    def repeated(self, call: Event) -> Event | None:
        """Return the result that answers a call as long as nothing has happened since."""
        same = self._known(call)
        return same.result if same and call.tool not in self._rereads else None

    def forgive(self, rule: str, raised: Number | None = None) -> None:
        """Let a run go on: the counters of a rule start anew, or its limit is raised."""
        if raised is not None:
            self._counts.raise_limit(rule, raised)
            if rule == _READS:
                self._own_limits = {
                    tool: max(own, raised) for tool, own in self._own_limits.items()
                }
            return
        self._counts.begin_anew(rule)
        if rule == "identical_call":
            self._same.clear()
        elif rule == "depth":
            self._handoffs.climb_out()

    def _something_happened(self) -> None:
        written, spoken = self._world
        self._world = (written + 1, spoken)
        for rule in _UNTIL_SOMETHING_HAPPENS:
            self._counts.begin_anew(rule)

    # Before a call.

    def _known(self, call: Event) -> _Same | None:
        same = self._same.get(_whose(call))
        return same if same and same.world == self._world and not call.writes else None

    def _identical(self, call: Event) -> Iterator[Verdict]:
        same = self._known(call)
        if same is None or call.tool in self._rereads:
            return
        count = with_one_more(same.count, call.index)
        if self._counts.reached("identical_call", count.number):
            said = (
                f"{call.tool} would be called {times(count.number)} with the same arguments. It "
                f"answered the same in {in_steps(same.count.steps)}, and nothing was written or "
                f"happened in between."
            )
            yield self._counts.verdict("identical_call", said, call, count)

    def _outside_role(self, call: Event) -> Iterator[Verdict]:
        if self._is_allowed(call):
            return
        count = with_one_more(self._counts.of("outside_role", call.actor), call.index)
        fires = self._counts.reached("outside_role", count.number)
        mild: Strength | None = None if fires else "note"
        what = "propose" if call.writes else "call"
        said = (
            f"{call.actor} wanted to {what} {call.tool}, which its role does not allow, and was "
            f"refused; {times(count.number)} so far."
        )
        yield self._counts.verdict("outside_role", said, call, count, strength=mild)

    def _calls(self, call: Event) -> Iterator[Verdict]:
        count = with_one_more(self._counts.of("calls"), call.index)
        limit = self._counts.limit("calls")
        if self._counts.passed("calls", count.number):
            said = f"The run wants to make call {count.number}; {limit} are allowed."
            yield self._counts.verdict("calls", said, call, count)
        elif limit is not None and count.number == max(1, int(limit * NOTED_AT)):
            said = f"The run makes call {count.number} of the {limit} that are allowed."
            yield self._counts.verdict("calls", said, call, count, strength="note")

    def _of_one_kind(self, call: Event) -> Iterator[Verdict]:
        rule = _WRITES if call.writes else _READS
        own = None if call.writes else self._own_limits.get(call.tool)
        count = with_one_more(self._counts.of(rule, call.tool), call.index)
        if self._counts.passed(rule, count.number, own):
            limit = self._counts.limit(rule) if own is None else own
            verb = "proposed" if call.writes else "called"
            said = f"{call.tool} is {verb} {times(count.number)}; {limit} are allowed."
            yield self._counts.verdict(rule, said, call, count, limit=limit)

    def _is_allowed(self, call: Event) -> bool:
        role = self._roles.get(call.actor)
        if role is None:
            return True
        return call.tool in role.action_types if call.writes else role.may_call(call.tool)

    # What happened.

    def _take_call(self, call: Event) -> None:
        self._asked[call.call_id] = call
        self._counts.begin_anew("talk")
        self._counts.of("calls").add(call.index)
        self._counts.of(_WRITES if call.writes else _READS, call.tool).add(call.index)
        if not self._is_allowed(call):
            self._counts.of("outside_role", call.actor).add(call.index)

    def _take_result(self, result: Event) -> Iterator[Verdict]:
        call = self._asked.pop(result.call_id, None)
        if call is None:
            return
        if result.error:
            yield from self._failed_again(call)
            yield from self._errors(call)
        else:
            self._counts.begin_anew("errors_in_a_row")
            self._counts.begin_anew("failed_again", call.key)
        if call.writes and not result.error:
            self._counts.begin_anew("failed_again")
            self._something_happened()
            return
        if not result.error:
            yield from self._answered(call, result)
        yield from self._nothing_new(call, result)

    def _failed_again(self, call: Event) -> Iterator[Verdict]:
        count = self._counts.of("failed_again", call.key)
        number = count.add(call.index)
        fires = self._counts.reached("failed_again", number)
        if fires or (number > 1 and self._counts.reached("failed_again", number + 1)):
            said = (
                f"{call.tool} failed {times(number)} with the same arguments, in "
                f"{in_steps(count.steps)}."
            )
            mild: Strength | None = None if fires else "nudge"
            yield self._counts.verdict("failed_again", said, call, count, strength=mild)

    def _errors(self, call: Event) -> Iterator[Verdict]:
        row = self._counts.of("errors_in_a_row")
        if self._counts.reached("errors_in_a_row", row.add(call.index)):
            said = f"{row.number} calls failed one after the other, in {in_steps(row.steps)}."
            yield self._counts.verdict("errors_in_a_row", said, call, row)
        count = self._counts.of("errors")
        if self._counts.reached("errors", count.add(call.index)):
            said = f"{count.number} calls of the run have failed, in {in_steps(count.steps)}."
            yield self._counts.verdict("errors", said, call, count)

    def _answered(self, call: Event, result: Event) -> Iterator[Verdict]:
        same = self._known(call)
        if same is None or same.result.content_digest != result.content_digest:
            self._same[_whose(call)] = _Same(result, self._world, Count(1, [call.index]))
            return
        number = same.count.add(call.index)
        # Such a tool may answer otherwise, so it is asked, and judged by what it answers.
        if call.tool in self._rereads and self._counts.reached("identical_call", number):
            said = (
                f"{call.tool} was asked the same {times(number)} and answered the same, in "
                f"{in_steps(same.count.steps)}, and nothing was written or happened in between."
            )
            yield self._counts.verdict("identical_call", said, call, same.count)

    def _nothing_new(self, call: Event, result: Event) -> Iterator[Verdict]:
        if not result.error and result.content_digest not in self._results:
            self._results.add(result.content_digest)
            self._counts.begin_anew("nothing_new")
            self._counts.begin_anew("round_trips")
            return
        count = self._counts.of("nothing_new")
        if self._counts.reached("nothing_new", count.add(call.index)):
            said = (
                f"{count.number} results in a row brought nothing new, since step "
                f"{count.steps[0]}: each failed, or said what another one had said before."
            )
            yield self._counts.verdict("nothing_new", said, call, count)

    def _take_words(self, event: Event) -> Iterator[Verdict]:
        if event.actor in PEOPLE:
            written, spoken = self._world
            self._world = (written, spoken + 1)
            return
        count = self._counts.of("talk")
        if self._counts.reached("talk", count.add(event.index)):
            said = (
                f"{count.number} answers of models in a row since step {count.steps[0]}, and "
                f"nothing was called, proposed or handed over in between."
            )
            yield self._counts.verdict("talk", said, event, count)


def _whose(call: Event) -> str:
    """Return what makes two calls the same for one agent: a colleague may look for itself."""
    return f"{call.actor} {call.key}"


def watched(
    events: Iterable[Event], settings: Settings = DEFAULTS, roles: Iterable[Role] = ()
) -> Iterator[tuple[Event, Verdict]]:
    """Yield what the rules say of a whole run, each verdict with the event it is about."""
    watch = Watch(settings, roles)
    for event in events:
        asked = watch.before(event) if event.kind == "call" else []
        for verdict in chain(asked, watch.seen(event)):
            yield event, verdict
