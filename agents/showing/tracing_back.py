"""Where does a value of a step come from, and what came of what a step brought?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from agents import origins, queries, workflows
from agents.origins import JOB, Held, Origin, Place, Use
from agents.queries import trails
from agents.showing.addresses import listed_at
from agents.showing.sentences import sentence, traced
from agents.showing.words import cut, pretty
from approvals import queries as approvals
from console.access.models import Workspace
from console.canonical import Json
from console.errors import NotFound
from snapshots import pointer
from snapshots import queries as snapshots
from snapshots.pointer import BadPointer, NothingThere

if TYPE_CHECKING:
    from agents.models import Run, Step

SIDES = ("input", "output")
# What a workflow declares is given to a model each time, and a second look is its own agent's.
_DECLARED: Final[Mapping[str, tuple[str, ...]]] = {
    "model_call": ("tools", "instructions"),
    "proposal": ("second",),
}
_VALUE_AT_MOST, _VALUES_AT_MOST, _USES_AT_MOST = 300, 60, 120


@dataclass(frozen=True, slots=True)
class Stand:
    """A place where a value stands, as a reader finds it; without a step it is the job's."""

    what: str
    step: int | None
    path: str
    quote: str
    is_field: bool


@dataclass(frozen=True, slots=True)
class Came:
    """A value with the places it stood before, and where what was asked there came from."""

    path: str
    value: str
    first: Stand | None
    between: list[Stand]
    nearest: Stand | None
    more: int
    asked: "list[Came]"


@dataclass(frozen=True, slots=True)
class Value:
    """A single value of a step, and the address that says where it came from."""

    path: str
    value: str
    url: str


@dataclass(frozen=True, slots=True)
class Reached:
    """A later step that was asked with values which this one was the first to bring."""

    step: int
    what: str
    values: list[Use]
    proposal: UUID | None
    title: str
    status: str


def origin(
    workspace: Workspace, run_id: UUID, index: int, *, side: str, path: str
) -> dict[str, Any]:
    """Return what `agents/_origin.html` shows. Raises: NotFound (404)."""
    row = queries.step(workspace.id, run_id, index)
    if side not in SIDES:
        raise NotFound
    whole: Json = _asked(row) if side == "input" else row.output
    try:
        value = pointer.get(whole, path)
    except (BadPointer, NothingThere) as error:
        raise NotFound("This step has no value at this path.") from error
    rows = _rows(row)
    held = [*_held(row.run, rows)]
    names = _names(workspace.id, rows)
    found = origins.origins(held, index, path, value)
    return {
        "step": row,
        "run": row.run,
        "side": side,
        "path": path,
        "value": _short(value),
        "said": names[index],
        "came": [_came(each, names) for each in found],
        "siblings": values(workspace, row, side, whole),
    }


def values(workspace: Workspace, row: "Step", side: str, whole: Json) -> list[Value]:
    """Return the single values of a side of a step, each with its address."""
    at = listed_at("agents:run_step_origin", workspace.slug, row.run_id, row.index)
    telling = (leaf for leaf in origins.leaves(whole, "") if _is_shown(leaf[1]))
    shown = [leaf for leaf, _ in zip(telling, range(_VALUES_AT_MOST), strict=False)]
    return [Value(path, _short(value), at(side=side, path=path)) for path, value in shown]


def effects(workspace: Workspace, run_id: UUID, index: int) -> dict[str, Any]:
    """Return what `agents/_effects.html` shows. Raises: NotFound (404)."""
    row = queries.step(workspace.id, run_id, index)
    rows = _rows(row, whole=True)
    names = _names(workspace.id, rows)
    uses = origins.uses([*_held(row.run, rows)], index)[:_USES_AT_MOST]
    by_step: dict[int, list[Use]] = {}
    for use in uses:
        by_step.setdefault(use.index, []).append(use)
    proposals = {each.index: each.proposal_id for each in rows}
    known = _proposals(workspace.id, run_id)
    reached = [
        _reached(step, found, names, proposals.get(step), known) for step, found in by_step.items()
    ]
    return {
        "step": row,
        "run": row.run,
        "said": names[index],
        "reached": reached,
        "committed": [each for each in reached if each.status == "approved"],
        "proposed": [each for each in reached if each.proposal],
    }


def _rows(row: "Step", *, whole: bool = False) -> "list[Step]":
    found = queries.steps(row.run_id, at_most=trails.STEPS_AT_MOST)
    return found if whole else [each for each in found if each.index <= row.index]


def _held(run: "Run", rows: "Sequence[Step]") -> Iterator[Held]:
    workflow = workflows.find(run.job.workflow)
    # What else stands in the input (recorded calls, say) is not what was asked for.
    asked = workflow.asked(run.job.input) if workflow else run.job.input
    yield Held(JOB, None, [run.job.label, asked])
    seen: set[int] = set()
    for row in rows:
        if row.name == "read_state" and row.kind == "tool_call":
            yield Held(row.index, row.input, _read(run, row.output, seen), is_record=True)
        elif row.kind == "event":
            # What happened outside is what the step tells; nobody asked for it.
            yield Held(row.index, None, row.input)
        else:
            brought: Json = None if row.kind in {"guard", "handoff"} else row.error or row.output
            yield Held(row.index, _asked(row), brought)


def _asked(row: "Step") -> Json:
    """Return what a step was asked, without what came from no step and no request."""
    asked: Json = row.input
    if not isinstance(asked, dict):
        return asked
    left_out = _DECLARED.get(row.kind, ())
    return {name: value for name, value in asked.items() if name not in left_out}


def _read(run: "Run", output: Json, seen: set[int]) -> Json:
    """Return the record as a step has read it; the same snapshot only once."""
    number = output.get("snapshot") if isinstance(output, dict) else None
    if not isinstance(number, int) or number in seen or run.source:
        return None
    seen.add(number)
    if len(seen) > 3:  # noqa: PLR2004  (each is a whole document)
        return None
    try:
        return snapshots.content(run.job.state_id, number)
    except (snapshots.Gone, NotFound):
        return None


def _names(workspace_id: UUID, rows: "Sequence[Step]") -> dict[int, str]:
    titles: Mapping[UUID, str] = {}
    return {row.index: sentence(traced(row), titles).what for row in rows}


def _came(found: Origin, names: Mapping[int, str]) -> Came:
    places = [_stand(place, names) for place in found.places]
    return Came(
        path=found.path,
        value=_short(found.value),
        first=places[0] if places else None,
        between=places[1:-1],
        nearest=places[-1] if len(places) > 1 else None,
        more=found.more,
        asked=[_came(each, names) for each in found.asked],
    )


def _stand(place: Place, names: Mapping[int, str]) -> Stand:
    if place.index == JOB:
        is_label = place.path.startswith("/0")
        what = "The job's label" if is_label else "The job's request"
        path = "" if is_label else place.path.removeprefix("/1")
        return Stand(what, None, path, place.quote, place.is_field)
    return Stand(names[place.index], place.index, place.path, place.quote, place.is_field)


def _reached(
    step: int,
    found: list[Use],
    names: Mapping[int, str],
    proposal_id: UUID | None,
    known: Mapping[UUID, tuple[str, str]],
) -> Reached:
    title, status = known.get(proposal_id, ("", "")) if proposal_id else ("", "")
    return Reached(step, names[step], found, proposal_id if title else None, title, status)


def _proposals(workspace_id: UUID, run_id: UUID) -> dict[UUID, tuple[str, str]]:
    rows = approvals.of_origin(workspace_id, f"run:{run_id}")
    return {row.id: (row.title, row.status) for row in rows}


def _is_shown(value: Json) -> bool:
    return value is not None and not isinstance(value, bool) and value != ""


def _short(value: Json) -> str:
    text = value if isinstance(value, str) else pretty(value)
    return cut(text, _VALUE_AT_MOST)
