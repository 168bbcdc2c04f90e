"""The docs: every setting, route and error code that the code knows stands in them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.api import api
from console.errors import Refused

TOP = Path(__file__).parents[2]
APPS = ("console", "agents", "approvals", "snapshots")
SOURCES = [path for app in APPS for path in TOP.glob(f"{app}/**/*.py")]
# Set by the system, or by the tools that Django belongs to; not ours to explain.
FOREIGN = {"PYTHONDONTWRITEBYTECODE", "DJANGO_SETTINGS_MODULE", "PATH", "HOME", "TMPDIR"}


def words(path: str) -> str:
    return (TOP / path).read_text()


def settings() -> set[str]:
    pattern = re.compile(r"environ(?:\.get\(|\[|\.pop\()\s*\"([A-Z_]+)\"")
    return {name for path in SOURCES for name in pattern.findall(path.read_text())} - FOREIGN


def codes() -> set[str]:
    def below(kind: type[Refused]) -> Iterator[type[Refused]]:
        yield kind
        for child in kind.__subclasses__():
            yield from below(child)

    refused = {kind.code for kind in below(Refused) if kind.__module__.split(".")[0] != "tests"}
    unreadable = set(re.findall(r"Unreadable\(\s*\"(\w+)\"", words("console/canonical.py")))
    problems = set(re.findall(r"problem\(\s*\w[\w.]*, \"(\w+)\"", words("console/problems.py")))
    return refused | unreadable | problems


@pytest.mark.parametrize("name", sorted(settings()))
def test_explain_every_setting(name: str) -> None:
    assert f"`{name}`" in words("docs/configuration.md")


@pytest.mark.parametrize("code", sorted(codes()))
def test_explain_every_error_code(code: str) -> None:
    assert f"`{code}`" in words("docs/api.md")


def test_explain_every_call_of_the_api() -> None:
    paths = api.get_openapi_schema(path_prefix="/api/v1/")["paths"]
    for path, calls in paths.items():
        shown = re.sub(r"\{\w+\}", "{id}", path)
        for method in calls:
            assert f"`{method.upper()} {shown}" in words("docs/api.md"), (method, path)


def test_name_both_commands_in_the_readme() -> None:
    assert "make run" in words("README.md")
    assert "make test" in words("README.md")
    assert "make test" in words(".ci/run")
