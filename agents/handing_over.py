"""Does a team still work, or do its agents only pass the work to and fro?

Shape of a handoff: the giving agent is its actor, the receiving one its tool.
"""

from collections import defaultdict
from collections.abc import Iterator

from agents.counting import Counts, in_steps, times
from agents.trail import Event, digest_of
from agents.verdicts import Verdict


class Handoffs:
    """Who has given what to whom so far, as a stack of agents and their open questions."""

    def __init__(self, counts: Counts) -> None:
        """Count with the counters of the whole run, which know when something new was found."""
        self._counts = counts
        self._stack: list[str] = []
        self._questions: dict[str, list[tuple[str, str]]] = defaultdict(list)

    def seen(self, handoff: Event) -> Iterator[Verdict]:
        """Take in a handoff and yield what the rules say of it."""
        yield from self._number(handoff)
        yield from self._depth(handoff)
        yield from self._round_trips(handoff)
        yield from self._redone(handoff)

    def climb_out(self) -> None:
        """Forget how deep the work is."""
        self._stack.clear()

    def _number(self, handoff: Event) -> Iterator[Verdict]:
        count = self._counts.of("handoffs")
        if self._counts.passed("handoffs", count.add(handoff.index)):
            limit = self._counts.limit("handoffs")
            said = f"The work was handed over {times(count.number)}; {limit} are allowed."
            yield self._counts.verdict("handoffs", said, handoff, count)

    def _depth(self, handoff: Event) -> Iterator[Verdict]:
        giver, taker = handoff.actor, handoff.tool
        if giver not in self._stack:
            self._stack = [giver]
        if taker in self._stack:
            del self._stack[self._stack.index(taker) + 1 :]
            return
        self._stack = [*self._stack[: self._stack.index(giver) + 1], taker]
        depth = len(self._stack) - 1
        count = self._counts.of("depth")
        count.number, count.steps = depth, [*count.steps[: depth - 1], handoff.index]
        if self._counts.passed("depth", depth):
            limit = self._counts.limit("depth")
            way = " → ".join(self._stack)
            said = f"The work was handed on {depth} levels deep; {limit} are allowed: {way}."
            yield self._counts.verdict("depth", said, handoff, count)

    def _round_trips(self, handoff: Event) -> Iterator[Verdict]:
        pair = " and ".join(sorted((handoff.actor, handoff.tool)))
        count = self._counts.of("round_trips", pair)
        trips, is_halfway = divmod(count.add(handoff.index), 2)
        if not is_halfway and self._counts.reached("round_trips", trips):
            said = (
                f"{pair} handed the work to each other and back {times(trips)} since step "
                f"{count.steps[0]}, and nothing new was read or written in between."
            )
            yield self._counts.verdict("round_trips", said, handoff, count)

    def _redone(self, handoff: Event) -> Iterator[Verdict]:
        giver, taker = handoff.actor, handoff.tool
        asked = self._questions[giver]
        if not asked or asked[-1][0] != taker:
            self._questions[taker].append((giver, digest_of(handoff.content)))
            return
        _, question = asked.pop()
        work = f"{giver} {question} {handoff.content_digest}"
        count = self._counts.of("work_redone", work)
        if self._counts.reached("work_redone", count.add(handoff.index)):
            said = (
                f"{giver} was given the same question {times(count.number)} and answered the "
                f"same, in {in_steps(count.steps)}."
            )
            yield self._counts.verdict("work_redone", said, handoff, count)
