"""What changed between two contents, and what comes out when the changes are carried out?"""

from snapshots.diff.applying import Draft, apply
from snapshots.diff.changes import ABSENT, Absent, BadChange, Change, DoesNotFit, Need, Op, invert
from snapshots.diff.comparing import diff
from snapshots.diff.overlap import paths_overlap, touched_paths
from snapshots.diff.tracing import Operation, Traced, Unclear, trace, with_old

__all__ = [
    "ABSENT",
    "Absent",
    "BadChange",
    "Change",
    "DoesNotFit",
    "Draft",
    "Need",
    "Op",
    "Operation",
    "Traced",
    "Unclear",
    "apply",
    "diff",
    "invert",
    "paths_overlap",
    "touched_paths",
    "trace",
    "with_old",
]
