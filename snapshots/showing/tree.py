"""Which part of a document fits on a page, and what stands behind "show more"?

Breadth first, so that a reader sees what there is before seeing how deep it goes.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from console.canonical import Json
from snapshots import pointer
from snapshots.showing.values import exact, kind, shortened

NODES_AT_MOST = 200
# What was asked for is shown at length, what stands below it as a first impression.
CHILDREN_AT_ONCE, GRANDCHILDREN_AT_ONCE = 100, 20
_LOOKED_AT, _HINTS, _HINT_AT_MOST = 12, 2, 40
# Members of a long list stay closed, those of a short object stand open.
_OPENED_WITHIN = 12
_TELLING = frozenset({"id", "name", "label", "title"})
# Templates include themselves once per level.
DEEPEST = 12
TEXT_AT_MOST = 1_000


@dataclass(slots=True)
class Node:
    """One value: shown as text, or opened, or only announced."""

    name: str
    path: str
    kind: str
    count: int = 0
    text: str = ""
    hint: str = ""
    left_out: int = 0
    depth: int = 0
    is_opened: bool = False
    is_open: bool = False
    children: list["Node"] = field(default_factory=list)
    next_start: int = 0

    @property
    def is_container(self) -> bool:
        """Say whether the value holds others."""
        return self.kind in ("object", "list")

    @property
    def rest(self) -> int:
        """Return how many members are not shown yet."""
        return self.count - self.next_start


def tree(document: Json, at: str = "", start: int = 0) -> Node:
    """Return the value at a path, opened as far as a page holds; members begin at `start`.

    Raises: BadPointer, NothingThere.
    """
    return opened(pointer.get(document, at), at, start)


def opened(value: Json, at: str, start: int = 0) -> Node:
    """Return a value that stands at a path, opened as far as a page holds. Raises: BadPointer."""
    parts = pointer.parse(at)
    root = _node(parts[-1] if parts else "", at, value, 0)
    root.is_open = True
    waiting: deque[tuple[Node, Json, int]] = deque([(root, value, start)])
    left = NODES_AT_MOST
    while waiting and left > 0:
        node, value, begin = waiting.popleft()
        if node.is_container and node.depth < DEEPEST:
            left -= _open(node, value, begin, left, waiting)
    return root


def _open(
    node: Node, value: Json, start: int, left: int, waiting: deque[tuple[Node, Json, int]]
) -> int:
    """Show a container's next members, and return how many that were."""
    most = min(GRANDCHILDREN_AT_ONCE if node.depth else CHILDREN_AT_ONCE, left)
    for name, item in islice(_members(value), start, start + most):
        child = _node(name, f"{node.path}/{pointer.escape(name)}", item, node.depth + 1)
        child.is_open = child.depth == 1 and node.count <= _OPENED_WITHIN
        node.children.append(child)
        waiting.append((child, item, 0))
    node.is_opened = True
    node.next_start = start + len(node.children)
    return len(node.children)


def _members(value: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        yield from sorted(value.items())
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield str(index), item


def _node(name: str, path: str, value: Json, depth: int) -> Node:
    if isinstance(value, dict | list):
        return Node(name, path, kind(value), count=len(value), hint=_hint(value), depth=depth)
    text, left_out = shortened(exact(value), TEXT_AT_MOST)
    return Node(name, path, kind(value), text=text, left_out=left_out, depth=depth)


def _hint(value: Json) -> str:
    """Return the first plain members of a closed container, so that items of a list differ."""
    first = list(islice(_members(value), _LOOKED_AT))
    telling = sorted(first, key=lambda member: member[0] not in _TELLING)
    plain = [item for _, item in telling if isinstance(item, str | int | float)]
    return ", ".join(exact(item)[:_HINT_AT_MOST] for item in plain[:_HINTS])
