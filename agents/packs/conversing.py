"""How do the agents of the demo worlds react to people: to a question, to a wish for changes?

A question is answered with what was read. Where a wish names a paper that was not read yet, it is
read and laid beside the proposal, which is worded anew; every other wish is for people, so the
proposal is withdrawn with that reason. Nothing here changes an amount, an account or a dose.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agents.workflows import Context, Exhibit, Outcome

TURNS = 4
_ANSWER_AT_MOST = 3_500


@dataclass(frozen=True, slots=True)
class Draft:
    """What was proposed: by whom, which parameters, and why."""

    agent: str
    params: dict[str, object]
    rationale: str
    read: Sequence[str]


def converse(
    context: Context,
    outcome: Outcome,
    draft: Draft,
    fetch: Callable[[str], Sequence[Exhibit]],
) -> Outcome:
    """Reply until people have decided, a few times at most; `fetch` reads papers a text names."""
    for _ in range(TURNS):
        if outcome.status == "question":
            text = _answer(draft, fetch(outcome.reason))
            outcome = context.answer(outcome, agent=draft.agent, text=text)
        elif outcome.status == "changes_requested":
            outcome = _reword(context, outcome, draft, fetch(outcome.reason))
        else:
            break
    if outcome.is_open:
        reason = f"Asked {TURNS} times, and nothing more to say."
        outcome = context.withdraw(outcome, agent=draft.agent, reason=reason)
    return outcome


def _answer(draft: Draft, found: Sequence[Exhibit]) -> str:
    shown = [f"{item.label} says:\n{item.content}" for item in found]
    read = f"I read {', '.join(draft.read)}. {draft.rationale}"
    beyond = [] if found else ["Beyond these papers I have nothing to go by."]
    return "\n\n".join([*shown, read, *beyond])[:_ANSWER_AT_MOST]


def _reword(context: Context, outcome: Outcome, draft: Draft, found: Sequence[Exhibit]) -> Outcome:
    if not found:
        reason = "The papers give nothing to change it by; somebody has to say what is right."
        return context.withdraw(outcome, agent=draft.agent, reason=reason)
    named = ", ".join(item.label for item in found)
    return context.revise(
        outcome,
        agent=draft.agent,
        params=dict(draft.params),
        evidence=found,
        rationale=f"{draft.rationale}\n\nAdded as asked: {named}.",
        why=f"Added {named}.",
    )
