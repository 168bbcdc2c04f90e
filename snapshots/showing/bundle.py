"""Which file does a whole State become?"""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from snapshots import bundles, queries
from snapshots.queries import bundling
from snapshots.showing.addresses import file_name

MEDIA_TYPE: Final = "application/x-ndjson"


def exported(workspace_id: UUID, state_id: UUID) -> tuple[str, Iterator[bytes]]:
    """Return a name for a State's file, and its lines.

    Raises: NotFound (404); while the lines are taken, Corrupt (500).
    """
    head = queries.head(workspace_id, state_id)
    header, versions = bundling.opened(head)
    return f"{file_name(head.key)}.jsonl", bundles.written(header, versions)
