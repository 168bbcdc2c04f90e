"""Each check of the verifier is taken away in turn, and each time an attack goes unnoticed.

A check is found by how it is written: a condition behind which something is objected to, by a
`return` or `raise` or by a fault that is kept. A check that no attack misses would be a hole, in
the attacks or in the verifier.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from console.ledger import auditing, chain, checkpoints
from tests.ledger.test_auditing import ATTACKS, KEYS, Evidence, compare_both_places, is_found

MODULES = (chain, checkpoints, auditing)
# What says what was objected to, and does not object to anything.
NO_CHECKS = {"_says", "__init__", "public_keys", "_public", "private_key"}


@dataclass(frozen=True)
class Mutant:
    """A module without one of its checks."""

    module: ModuleType
    line: int
    check: str
    tree: ast.Module


def mutants() -> Iterator[Mutant]:
    """Return every check as the module that lacks it."""
    for module in MODULES:
        source = Path(str(module.__file__)).read_text()
        for number in range(_count(ast.parse(source))):
            tree = ast.parse(source)
            node = list(_checks(tree))[number]
            check = ast.unparse(node.test)
            # Nothing is objected to; what a name was bound to is not asked any more.
            node.test = ast.copy_location(ast.Constant(value=False), node.test)
            yield Mutant(module, node.lineno, check, ast.fix_missing_locations(tree))


def _count(tree: ast.Module) -> int:
    return len(list(_checks(tree)))


def _checks(tree: ast.Module) -> Iterator[ast.If]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name not in NO_CHECKS:
            for node in ast.walk(function):
                if isinstance(node, ast.If) and any(_objects(each) for each in node.body):
                    yield node


def _objects(statement: ast.stmt) -> bool:
    """Say whether something is said against what was found: a text, a fault, an exception."""
    if isinstance(statement, ast.Raise):
        return True
    told = ast.unparse(statement)
    if isinstance(statement, ast.Return):
        value = statement.value
        is_text = isinstance(value, ast.JoinedStr) or told.startswith("return objection")
        return is_text or "Fault(" in told or "_forked" in told or "_unreadable" in told
    return "faults.append" in told


def without(mutant: Mutant) -> ModuleType:
    """Return a verifier that lacks the check, with modules of its own from there upwards."""
    names = [module.__name__ for module in MODULES]
    kept = {name: sys.modules[name] for name in names}
    parent = sys.modules["console.ledger"]
    try:
        for module in MODULES[MODULES.index(mutant.module) :]:
            made = ModuleType(module.__name__)
            made.__file__ = module.__file__
            source = Path(str(module.__file__)).read_text()
            tree: ast.Module | str = mutant.tree if module is mutant.module else source
            sys.modules[module.__name__] = made
            setattr(parent, module.__name__.rpartition(".")[2], made)
            exec(compile(tree, str(module.__file__), "exec"), made.__dict__)  # noqa: S102
        return sys.modules[auditing.__name__]
    finally:
        sys.modules.update(kept)
        for name, module in kept.items():
            setattr(parent, name.rpartition(".")[2], module)


def missed(verifier: ModuleType) -> list[str]:
    """Return the attacks that a verifier does not name as it should."""
    return [name for name in ATTACKS if not _is_found(name, verifier)]


def _is_found(name: str, verifier: ModuleType) -> bool:
    try:
        return is_found(name, verifier)
    except Exception:  # noqa: BLE001  (a verifier that falls over has not named anything)
        return False


ALL = list(mutants())


def test_tries_every_check() -> None:
    assert len(ALL) >= 25
    assert {mutant.module for mutant in ALL} == set(MODULES)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_whole_verifier_misses_nothing(module: ModuleType) -> None:
    whole = Mutant(module, 0, "", ast.parse(Path(str(module.__file__)).read_text()))
    given, verifier = Evidence.whole(), without(whole)
    assert verifier.audit(given.lines, given.files.get, KEYS).faults == []
    assert missed(verifier) == []
    assert _differing(verifier) == []


@pytest.mark.parametrize(
    "mutant", ALL, ids=lambda m: f"{m.module.__name__.rpartition('.')[2]}:{m.line}"
)
def test_an_attack_goes_unnoticed_without(mutant: Mutant) -> None:
    unnoticed = missed(without(mutant)) or _differing(without(mutant))
    assert unnoticed, f"nothing misses `{mutant.check}` of {mutant.module.__name__}:{mutant.line}"


def _differing(verifier: ModuleType) -> list[str]:
    """Return the other checks of auditing that fail with this verifier."""
    try:
        compare_both_places(verifier)
    except AssertionError:
        return ["compare_both_places"]
    return []
