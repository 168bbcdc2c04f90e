"""Why does a run wait for a person, on which evidence, and what can be said to it?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from agents import workflows
from agents.guards import RULES, Number, may_be_raised, settled
from agents.operations.answering import may_answer
from agents.queries import limits
from agents.queries import pauses as queries
from agents.showing import trace
from agents.showing.addresses import listed_at
from agents.showing.runs import status_label, workflow_label
from agents.showing.sentences import icon_of, sentence, traced
from agents.showing.words import cut, opening
from agents.verdicts import MEANS, Verdict
from approvals.showing.beside import SHOWN_AT_MOST, Item, Offer
from approvals.showing.texts import told
from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.errors import NotFound
from console.paging import page

if TYPE_CHECKING:
    from agents.models import Pause, Step

PAGE_SIZE = 50
LABEL: Final = "Paused by a guard"
TABS: Final = {"": "Waiting", "decided": "Decided"}
_OPENING = 600
_SAID_AT_MOST = 300
_ENDED: Final = {
    "continued": "let it go on",
    "raised": "let it go on with a higher limit",
    "terminated": "ended the run",
    "restored": "rolled back and began anew",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One pause as a list shows it."""

    pause: "Pause"
    rule: str
    sentence: str
    workflow: str
    ended: str


@dataclass(frozen=True, slots=True)
class Counted:
    """One of the steps that a rule counted: what it did, with what it was asked and answered."""

    index: int
    icon: str
    says: str
    agent: str
    asked: str
    answered: str
    is_failed: bool
    is_beginning: bool


def pause_list(
    workspace: Workspace, actor: Actor, *, tab: str = "", cursor: str = ""
) -> dict[str, Any]:
    """Return what `agents/_pauses.html` shows. Raises: NotFound (404), BadCursor (400)."""
    if tab not in TABS:
        raise NotFound
    rows = queries.ended_pauses(workspace.id) if tab else queries.open_pauses(workspace.id)
    found = page(rows, by="created_at", cursor=cursor, size=PAGE_SIZE, newest_first=bool(tab))
    at = listed_at("agents:pauses", workspace.slug, tab=tab)
    return {
        "rows": [row_of(each) for each in found.rows],
        "tab": tab,
        "may_answer": may_answer(actor, "continue"),
        "next_url": at(cursor=found.next_cursor) if found.next_cursor else "",
        "first_url": at() if cursor else "",
    }


def tabs(workspace: Workspace, tab: str) -> list[dict[str, Any]]:
    """Return the links above the list."""
    return [
        {
            "label": label,
            "url": listed_at("agents:pauses", workspace.slug, tab=name)(),
            "current": name == tab,
            "count": 0 if name else queries.count_open(workspace.id),
        }
        for name, label in TABS.items()
    ]


def row_of(row: "Pause") -> Row:
    """Return a pause as a list shows it."""
    return Row(
        pause=row,
        rule=rule_label(row.rule),
        sentence=cut(Verdict.from_json(row.verdict).sentence, _SAID_AT_MOST),
        workflow=workflow_label(row.run.job.workflow),
        ended=ended(row),
    )


def rule_label(rule: str) -> str:
    """Return how people call a rule."""
    return RULES[rule].label if rule in RULES else rule.replace("_", " ").capitalize()


def ended(row: "Pause") -> str:
    """Say how a pause ended and by whom, or nothing while it waits."""
    if row.status == "open":
        return ""
    if row.status == "void":
        return "The run ended before anybody answered."
    by = (row.decider or {}).get("name", "Somebody")
    return f"{by} {_ENDED.get(row.status, row.status)}."


def pause(workspace: Workspace, actor: Actor, pause_id: UUID) -> dict[str, Any]:
    """Return what `agents/_pause.html` and its form show. Raises: NotFound (404)."""
    row = queries.pause(workspace.id, pause_id)
    verdict = Verdict.from_json(row.verdict)
    is_open, mine = row.status == "open", may_answer(actor, "continue")
    again = None if is_open else queries.open_pause_of(row.run_id)
    return {
        "pause": row,
        "run": row.run,
        "run_label": status_label(row.run.status),
        "again": again,
        "again_label": rule_label(again.rule) if again else "",
        "job": row.run.job,
        "rule": RULES.get(row.rule),
        "rule_label": rule_label(row.rule),
        "workflow_label": workflow_label(row.run.job.workflow),
        "said": told(verdict.sentence),
        "does": MEANS.get(verdict.strength, ""),
        "numbers": numbers(verdict.numbers),
        "began_at": verdict.began_at,
        "steps": _steps(row, verdict),
        "left_out": max(0, len(set(verdict.steps)) - queries.STEPS_SHOWN),
        "tail": trace.lines(queries.tail(row.run_id, row.step), {}),
        "is_open": is_open,
        "ended": ended(row),
        "mode": "settled" if not is_open else "form" if mine else "readonly",
        "limit": (limit := limit_of(row)),
        "may_raise": limit is not None and may_be_raised(row.rule) and may_answer(actor, "raise"),
        "higher": higher(limit),
        "may_restore": allows(actor.roles, "restore"),
    }


def numbers(kept: Mapping[str, Json]) -> list[tuple[str, str]]:
    """Return the numbers of a verdict with their names, as a page shows them."""
    return [
        (name.replace("_", " ").capitalize(), value if isinstance(value, str) else f"{value}")
        for name, value in sorted(kept.items())
        if isinstance(value, str | int | float) and name != "limit"
    ]


def limit_of(row: "Pause") -> Number | None:
    """Return the limit that counted when a rule fired, or nothing where it has none."""
    said = row.verdict.get("numbers", {}).get("limit")
    if isinstance(said, int | float):
        return said
    known = workflows.find(row.run.job.workflow)
    found = limits.of_run(row.run_id)
    layers = (known.guards if known else {}, found.guards, found.raised)
    setting = settled(*layers).get(row.rule)
    return setting.limit if setting else None


def higher(limit: Number | None) -> Number | None:
    """Return what a raised limit would sensibly be: twice as much."""
    return None if limit is None else limit * 2


def _steps(row: "Pause", verdict: Verdict) -> list[Counted]:
    found = queries.counted_steps(row.run_id, [*verdict.steps, *_beginning(verdict)])
    return [_counted(step, verdict.began_at) for step in found]


def _beginning(verdict: Verdict) -> Sequence[int]:
    return () if verdict.began_at is None else (verdict.began_at,)


def _counted(step: "Step", began_at: int | None) -> Counted:
    line = traced(step)
    return Counted(
        index=step.index,
        icon=icon_of(line),
        says=sentence(line, {}).what,
        agent=step.agent,
        asked=opening(step.input, at_most=_OPENING)[0],
        answered=step.error or opening(step.output, at_most=_OPENING)[0],
        is_failed=bool(step.error),
        is_beginning=step.index == began_at,
    )


def offer(actor: Actor) -> Offer | None:
    """Return what of a workspace's runs waits for people, for the queue."""
    wanted = queries.open_pauses(actor.workspace_id).order_by("created_at", "id")
    rows = list(wanted[: SHOWN_AT_MOST + 1])
    if not rows:
        return None
    is_all = len(rows) <= SHOWN_AT_MOST
    count = len(rows) if is_all else queries.count_open(actor.workspace_id)
    mine = may_answer(actor, "continue")
    items = [_item(row_of(each), is_my_turn=mine) for each in rows[:SHOWN_AT_MOST]]
    return Offer("paused", LABEL, "agents:pauses", items, count, count >= queries.COUNTED_AT_MOST)


def _item(row: Row, *, is_my_turn: bool) -> Item:
    kept = row.pause
    label = kept.run.job.label or row.workflow
    return Item(
        id=kept.id,
        page="agents:pause",
        status="paused",
        tag=LABEL,
        title=told(f"{row.rule}: {row.sentence}"),
        note=told(" · ".join(filter(None, [label, kept.agent]))),
        about=kept.run.job.state.key,
        at=kept.created_at,
        is_my_turn=is_my_turn,
    )


def waiting(workspace: Workspace, _actor: Actor) -> int:
    """Return how many runs wait for a person because of a guard."""
    return queries.count_open(workspace.id)
