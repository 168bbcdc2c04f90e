"""Rows: action types, proposals, what was decided and done about them, and by what right."""

from approvals.models.action_types import ActionType
from approvals.models.authority import AuthorityLimit, Bucket, Delegation, Exposure
from approvals.models.decisions import Decision, Signature
from approvals.models.executions import BreakGlass, Execution, Review
from approvals.models.proposals import Evidence, Proposal, Revision
from approvals.models.scoring import Canary, Verdict
from approvals.models.sending import (
    Attempt,
    Compensation,
    Connector,
    Discrepancy,
    Observation,
    Reconciliation,
    Resolution,
    SendSwitch,
)
from approvals.models.talking import Comment, InfoRequest, Snooze, Viewing

__all__ = [
    "ActionType",
    "Attempt",
    "AuthorityLimit",
    "BreakGlass",
    "Bucket",
    "Canary",
    "Comment",
    "Compensation",
    "Connector",
    "Decision",
    "Delegation",
    "Discrepancy",
    "Evidence",
    "Execution",
    "Exposure",
    "InfoRequest",
    "Observation",
    "Proposal",
    "Reconciliation",
    "Resolution",
    "Review",
    "Revision",
    "SendSwitch",
    "Signature",
    "Snooze",
    "Verdict",
    "Viewing",
]
