"""In which workspace does this code work? The database shows a web process no other one.

Doors say it as soon as they know; every connection is told before its next statement (see
console/database/base.py). Nobody has to hand it on: it follows a request through its threads, and
a socket through its tasks.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar
from uuid import UUID

Request = TypeVar("Request")
Answer = TypeVar("Answer")

NOWHERE = ""
_workspace: ContextVar[str] = ContextVar("workspace", default=NOWHERE)


def current() -> str:
    """Return the workspace's id as the database is told it, or nothing."""
    return _workspace.get()


def enter(workspace_id: UUID) -> None:
    """Work in this workspace from here on, until the request or the task is over."""
    _workspace.set(str(workspace_id))


def leave() -> None:
    """Work in no workspace: a web process then sees the rows of none."""
    _workspace.set(NOWHERE)


@contextmanager
def within(workspace_id: UUID) -> Iterator[None]:
    """Work in this workspace for a while, and then where one was before."""
    before = _workspace.set(str(workspace_id))
    try:
        yield
    finally:
        _workspace.reset(before)


def begin_nowhere(get_response: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
    """Let every request begin in no workspace, whatever its thread did before.

    It is not left at the end: a long answer is still being read then.
    """

    def begin(request: Request) -> Answer:
        leave()
        return get_response(request)

    return begin
