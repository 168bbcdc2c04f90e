"""Who is acting? Every verb that changes something is told."""

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from console.canonical import Json

Kind = Literal["person", "agent", "client", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, an agent, an API client or the system itself, in one workspace.

    `behind` is the reference of the person who answers for a client or an agent: whoever made
    the token, whoever submitted the job. It travels into the lineage of a proposal.
    """

    kind: Kind
    id: str
    name: str
    workspace_id: UUID
    roles: frozenset[str] = field(default_factory=frozenset)
    behind: str = ""

    @property
    def ref(self) -> str:
        """Return the reference kept in rows, such as `person:0190…`."""
        return f"{self.kind}:{self.id}"

    @property
    def lineage(self) -> list[str]:
        """Return the references that may not approve what this actor proposed."""
        return [self.ref, *([self.behind] if self.behind else [])]

    def to_json(self) -> dict[str, Json]:
        """Return what a row keeps to name the actor again later."""
        return {"kind": self.kind, "id": self.id, "name": self.name, "behind": self.behind}


def system(component: str, workspace_id: UUID) -> Actor:
    """Return the actor for work that no person asked for at that moment."""
    return Actor("system", component, component.replace("-", " ").capitalize(), workspace_id)


def agent(name: str, workspace_id: UUID, behind: str) -> Actor:
    """Return the actor for an agent; `behind` names whoever submitted its job."""
    return Actor("agent", name, name, workspace_id, behind=behind)
