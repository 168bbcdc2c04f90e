"""Let an agent take part in a run, unless somebody has paused or stopped it."""

from agents import lifecycle, store
from agents.store import Claim


class Held(BaseException):
    """An agent of this run may not work now; like Waiting, nothing a workflow could catch."""

    def __init__(self, agent_name: str, because: str) -> None:
        """Keep who may not work, and the sentence that says why."""
        self.agent_name, self.because = agent_name, because
        super().__init__(because)


def participate(claimed: Claim, agent_name: str) -> None:
    """Note that an agent acts in this run. Raises: Held while it is paused or stopped."""
    standing = store.meet(claimed, agent_name)
    if because := lifecycle.held_because(agent_name, standing.status, standing.by, standing.reason):
        raise Held(agent_name, because)
