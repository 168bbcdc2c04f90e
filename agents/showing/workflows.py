"""What do the pages of workflows show: who works in each, what each may do, what speaks against it?

What workflows declare is the installation's, not a workspace's; how guards are set is both.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse

from agents import guards, workflows
from agents.declarations import Contract, Memo, Role, Tool
from agents.guards import RULES, Setting
from agents.rolecheck import findings
from agents.workflows import Workflow
from console.access.models import Workspace
from console.errors import NotFound


@dataclass(frozen=True, slots=True)
class Row:
    """One workflow in the list: who works in it, and how much speaks against its roles."""

    name: str
    label: str
    roles: tuple[str, ...]
    tools: int
    errors: int
    notes: int


@dataclass(frozen=True, slots=True)
class Described:
    """One thing that a role declares: its name, what is said of it, and its schema as text."""

    name: str
    text: str
    schema: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seat:
    """One role as the page shows it; `part` is what it is in the team.

    `declared` is what it declares, under the heading of each kind.
    """

    role: Role
    part: str
    declared: tuple[tuple[str, tuple[Described, ...]], ...]
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Guard:
    """One rule whose setting is the workflow's own."""

    label: str
    says: str


def workflow_list(failures: Sequence[Any]) -> dict[str, Any]:
    """Return the workflows of the installation, and the packs that could not be loaded."""
    rows = [_row(workflow) for _, workflow in sorted(workflows.known().items())]
    return {"rows": rows, "failures": failures}


def workflow_detail(workspace: Workspace, name: str) -> dict[str, Any]:
    """Return everything that one workflow declares. Raises: NotFound (404)."""
    workflow = workflows.find(name)
    if workflow is None:
        raise NotFound
    return {
        "workflow": workflow,
        "seats": [_seat(workflow, role) for role in workflow.roles],
        "findings": findings(workflow),
        # A template would call the function itself.
        "expects": workflow.expects is not None,
        "guards": _guards(workflow.guards),
        "settings_url": _guard_settings(workspace, name),
        "input_schema": _text(workflow.input_schema),
        "free_tools": [_tool(tool) for tool in workflow.tools if not _is_used(workflow, tool)],
    }


def _row(workflow: Workflow) -> Row:
    found = findings(workflow)
    errors = sum(finding.is_error for finding in found)
    return Row(
        name=workflow.name,
        label=workflow.label,
        roles=tuple(role.name for role in workflow.roles),
        tools=len({tool.name for role in workflow.roles for tool in role.tools}),
        errors=errors,
        notes=len(found) - errors,
    )


def _seat(workflow: Workflow, role: Role) -> Seat:
    contracts = (("Takes", role.takes), ("Gives", role.gives))
    declared = {
        "Tools": tuple(map(_tool, role.tools)),
        "Contracts": tuple(_contract(name, each) for name, each in contracts if each),
        "Memory": tuple(map(_memo, role.memory)),
    }
    return Seat(
        role=role,
        part=_part(workflow, role),
        declared=tuple((kind, parts) for kind, parts in declared.items() if parts),
        marks=("left out when time runs short",) if role.optional else (),
    )


def _part(workflow: Workflow, role: Role) -> str:
    team = workflow.team
    if team is None:
        return ""
    parts = {"Coordinator": team.coordinator, "Critic": team.critic, "Alone in a hurry": team.alone}
    return next((part for part, each in parts.items() if each is role), "Specialist")


def _tool(tool: Tool) -> Described:
    limit = (f"at most {tool.max_calls} calls in a run",) if tool.max_calls else ()
    rereads = ("may answer otherwise each time",) if tool.rereads else ()
    return Described(tool.name, tool.description, _text(tool.schema), (*limit, *rereads))


def _contract(name: str, contract: Contract) -> Described:
    checks = ", ".join(check.name for check in contract.checks)
    return Described(name, f"Checks: {checks}" if checks else "", _text(contract.schema))


def _memo(memo: Memo) -> Described:
    days = f"for {memo.expires_in.days} days" if memo.expires_in else "until it is swept"
    return Described(f"{memo.prefix}…", f"Kept {days}", _text(memo.schema))


def _guards(declared: Mapping[str, Mapping[str, Any]]) -> list[Guard]:
    set_here = guards.settled(declared)
    return [Guard(RULES[rule].label, _said(rule, set_here[rule])) for rule in declared]


def _said(rule: str, setting: Setting) -> str:
    if setting.limit is None:
        return "off"
    return f"{setting.limit} {RULES[rule].unit}".strip() + f": {setting.strength}"


def _guard_settings(workspace: Workspace, name: str) -> str:
    """Return where the guards of a workflow are set, if that page is there."""
    try:
        return reverse("agents:guard_settings", args=[workspace.slug, name])
    except NoReverseMatch:
        return ""


def _is_used(workflow: Workflow, tool: Tool) -> bool:
    return any(role.may_call(tool.name) for role in workflow.roles)


def _text(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False)
