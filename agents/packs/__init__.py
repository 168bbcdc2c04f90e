"""Which packs are there, and what does each bring: workflows, effects and action types?

Some ship with the console. Others are installed beside it and named by an entry point of the
group `countersign.packs`: a module with `register()`, or the function itself. One that cannot be
loaded is left out and told of; the console goes on without it.
"""

import inspect
import logging
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from agents import workflows
from agents.packs import attacked, care, finance, recorded
from agents.workflows import Workflow, register_workflow
from approvals.operations.registering import ActionTypeSpec

logger = logging.getLogger(__name__)

GROUP: Final = "countersign.packs"


class PackUnusable(Exception):
    """A pack cannot be loaded; the message says why."""


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack that was loaded: its name, its module, and the workflows that it registered."""

    name: str
    module: str
    workflows: tuple[str, ...]

    @property
    def action_types(self) -> tuple[ActionTypeSpec, ...]:
        """Return the action types that a workspace may take over, `ACTION_TYPES` of the module."""
        found: Iterable[ActionTypeSpec] = getattr(sys.modules[self.module], "ACTION_TYPES", ())
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Failure:
    """A pack that could not be loaded, and why."""

    name: str
    error: str


_packs: dict[str, Pack] = {}
_failures: dict[str, Failure] = {}


def load() -> None:
    """Register what the packs bring, those that ship with the console first."""
    for pack in (recorded, attacked, finance, care):
        _take_in(pack.__name__.rpartition(".")[2], pack.__name__, pack.register)
    for point in sorted(entry_points(group=GROUP), key=lambda each: (each.name, each.value)):
        _load_installed(point)


def loaded() -> list[Pack]:
    """Return the packs that are there, by name."""
    return sorted(_packs.values(), key=lambda pack: pack.name)


def failures() -> list[Failure]:
    """Return the packs that are not there although they are installed, by name."""
    return sorted(_failures.values(), key=lambda failure: failure.name)


def named(name: str) -> Pack | None:
    """Return the pack of this name, if it was loaded."""
    return _packs.get(name)


def pack_of(workflow: str) -> Pack | None:
    """Return the pack that brought a workflow."""
    return next((pack for pack in _packs.values() if workflow in pack.workflows), None)


def _load_installed(point: EntryPoint) -> None:
    _failures.pop(point.name, None)
    try:
        found = point.load()
        register = found.register if inspect.ismodule(found) else found
        _take_in(point.name, point.module, register)
    except Exception as error:
        logger.exception("The pack %s (%s) could not be loaded", point.name, point.value)
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        _failures[point.name] = Failure(point.name, said)


def _take_in(name: str, module: str, register: Callable[[], None]) -> None:
    """Let a pack register, and keep what it brought; nobody else's workflow is replaced.

    Raises: PackUnusable.
    """
    if (same := _packs.get(name)) and same.module != module:
        raise PackUnusable(f"The pack of {same.module} has this name already.")
    before = workflows.known()
    register()
    brought = [each for each, now in workflows.known().items() if before.get(each) is not now]
    taken = [each for each in brought if (of := pack_of(each)) and of.name != name]
    if taken:
        _give_back(before[each] for each in taken)
        raise PackUnusable(f"Another pack has a workflow of this name: {', '.join(taken)}.")
    _packs[name] = Pack(name, module, tuple(sorted(brought)))


def _give_back(replaced: Iterable[Workflow]) -> None:
    for workflow in replaced:
        register_workflow(workflow)
