"""Take each check away in turn, and see whether a test notices: `python -m tests.guards`.

A check is found by how it is written: a refusal that an operation of deciding and executing raises,
a call of `refuse_…` there, an `Objection` that a rule returns, a refusal in the triggers. One
that no test misses is a hole, in the tests or in the check. Takes minutes, uses two processes.
"""

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
OPERATIONS = "approvals/operations"
CODE = (
    *(f"{OPERATIONS}/{name}.py" for name in ("deciding", "executing", "verifying", "recalling")),
    *(f"{OPERATIONS}/{name}.py" for name in ("proposing", "framing", "automating", "fencing")),
    *(f"{OPERATIONS}/{name}.py" for name in ("exposing", "signing", "breaking_glass", "editing")),
    *(f"{OPERATIONS}/{name}.py" for name in ("barring", "reviewing", "answering_canaries", "bulk")),
    *(f"{OPERATIONS}/{name}.py" for name in ("dispatching", "stopping", "quarantining")),
)
RULES = ("approvals/policy.py",)
TRIGGERS = (
    "approvals/migrations/0007_promises_of_decisions.py",
    "approvals/migrations/0010_promises_of_executions.py",
)
COPIED = ("console", "approvals", "snapshots", "agents", "templates", "static", "tests")
# Where somebody would look first; the rest is asked only when these notice nothing.
FIRST = (
    *("deciding", "executing", "policy", "proposing", "exposing"),
    *("authority", "delegating", "promises"),
)
BESIDE = {
    "0007_promises_of_decisions": "promises",
    "0010_promises_of_executions": "promises_outside",
    "verifying": "deciding",
    "barring": "asking",
    "dispatching": "sending",
}
_RAISE = re.compile(r"RAISE EXCEPTION '([^']+)'.*?;", re.DOTALL)
_REASON = re.compile(r"RETURN '([^']+)';")
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Guard:
    """One check: where it stands, and the file without it."""

    path: str
    line: int
    name: str
    without: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What the tests said when a check was away."""

    guard: Guard
    caught_by: tuple[str, ...]


def guards() -> Iterator[Guard]:
    """Return every check, file by file."""
    for path in CODE:
        if (HOUSE / path).exists():
            yield from _calls(path)
            yield from _raises(path)
    for path in RULES:
        yield from _objections(path)
    for path in TRIGGERS:
        yield from _refusals(path)


def _calls(path: str) -> Iterator[Guard]:
    """Return calls of checks that stand in another file; those of this one are its refusals."""
    source = (HOUSE / path).read_text()
    tree = ast.parse(source)
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            continue
        name = ast.unparse(node.value.func)
        if name not in own and name.rpartition(".")[2].lstrip("_").startswith("refuse_"):
            yield Guard(path, node.lineno, name, _without(source, node))


def _raises(path: str) -> Iterator[Guard]:
    source = (HOUSE / path).read_text()
    tree = ast.parse(source)
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for node in ast.walk(function):
            if isinstance(node, ast.Raise) and node.exc is not None:
                refusal = ast.unparse(node.exc).partition("(")[0]
                name = f"{function.name}: {refusal}"
                yield Guard(path, node.lineno, name, _without(source, node))


def _objections(path: str) -> Iterator[Guard]:
    source = (HOUSE / path).read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Call):
            called = ast.unparse(node.value.func)
            if called == "Objection":
                code = ast.unparse(node.value.args[0])
                yield Guard(path, node.lineno, f"Objection {code}", _without(source, node))


def _without(source: str, node: ast.stmt) -> str:
    """Return the source with `pass` in the place of one statement."""
    lines = source.splitlines(keepends=True)
    indent = lines[node.lineno - 1][: node.col_offset]
    end = node.end_lineno or node.lineno
    return "".join([*lines[: node.lineno - 1], f"{indent}pass\n", *lines[end:]])


def _refusals(path: str) -> Iterator[Guard]:
    source = (HOUSE / path).read_text()
    for pattern in (_RAISE, _REASON):
        # What follows `_UNDO` puts back what was there before.
        for found in pattern.finditer(source.partition("\n_UNDO = ")[0]):
            line = source.count("\n", 0, found.start()) + 1
            without = f"{source[: found.start()]}NULL;{source[found.end() :]}"
            yield Guard(path, line, f"trigger: {found[1]}", without)


def try_without(guard: Guard, *, far: bool = True) -> Finding:
    """Run the tests on a copy of the house in which one check is away."""
    with tempfile.TemporaryDirectory(prefix="countersign-guards-") as folder:
        copy = Path(folder)
        for name in COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(HOUSE / name, copy / name, ignore=ignored)
        for name in ("pyproject.toml", "manage.py"):
            shutil.copy(HOUSE / name, copy / name)
        (copy / guard.path).write_text(guard.without)
        near = [str(path.relative_to(copy)) for path in _near(copy, Path(guard.path).stem)]
        caught = _failures(copy, near)
        if far and not caught:
            caught = _failures(copy, ["tests/approvals", "tests/api"])
    return Finding(guard, caught)


def _near(copy: Path, module: str) -> list[Path]:
    """Return the tests named after the module that lost a check, and then those named `FIRST`."""
    names = dict.fromkeys((BESIDE.get(module, module), *FIRST))
    found = [sorted((copy / "tests/approvals").glob(f"test_{name}*.py")) for name in names]
    return [path for paths in found for path in paths]


def _failures(copy: Path, paths: list[str]) -> tuple[str, ...]:
    arguments = ("-q", "-x", "-rfE", "-p", "no:cacheprovider", "-m", "not browser and not nightly")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, *paths],
        cwd=copy,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode not in {0, 1}:
        raise RuntimeError(f"pytest gave no verdict: {done.stdout[-500:]}{done.stderr[-500:]}")
    return tuple(dict.fromkeys(_FAILED.findall(done.stdout)))


def main() -> int:
    """Print a line per check; return 1 when nothing notices that one of them is away."""
    parser = argparse.ArgumentParser(prog="python -m tests.guards", description=__doc__)
    parser.add_argument("--only", default="", help="checks whose file or name contains this")
    parser.add_argument("--list", action="store_true", help="name the checks, and stop")
    parser.add_argument("--near", action="store_true", help="ask only the tests beside it")
    asked = parser.parse_args()
    attempt = partial(try_without, far=not asked.near)
    chosen = [each for each in guards() if asked.only in f"{each.path}:{each.line} {each.name}"]
    holes = 0
    with ThreadPoolExecutor(2) as pool:
        for finding in map(_unseen, chosen) if asked.list else pool.map(attempt, chosen):
            guard = finding.guard
            caught = ", ".join(finding.caught_by)
            holes += not (caught or asked.list)
            told = "" if asked.list else f"  {caught or 'NOTHING NOTICES'}"
            print(f"{guard.path}:{guard.line}  {guard.name}{told}", flush=True)  # noqa: T201
    if not asked.list:
        print(f"{len(chosen)} checks, {holes} that nothing notices")  # noqa: T201
    return 1 if holes else 0


def _unseen(guard: Guard) -> Finding:
    return Finding(guard, ())


if __name__ == "__main__":
    sys.exit(main())
