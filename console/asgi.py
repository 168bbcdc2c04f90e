"""The entry point for Daphne: pages, API and sockets in one process."""

import os
from typing import Any, cast

from channels.auth import AuthMiddlewareStack
from channels.consumer import AsyncConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
_http = get_asgi_application()

from django.urls import path, re_path  # noqa: E402  (models can be imported only after the set-up)

from agents import consumers as agents  # noqa: E402
from approvals import consumers as approvals  # noqa: E402
from console.ledger import consumers as ledger  # noqa: E402
from console.origins import SameOrigin  # noqa: E402
from console.regions import Nothing  # noqa: E402
from snapshots import consumers as snapshots  # noqa: E402

_regions: dict[str, type[AsyncConsumer]] = {
    "queue/": approvals.Queue,
    "proposals/<uuid:proposal_id>/": approvals.Proposal,
    "outside/": approvals.Outside,
    "outside/connectors/": approvals.Connectors,
    "outside/reconciliation/": approvals.Reconciliation,
    "outside/<uuid:execution_id>/": approvals.OutsideOne,
    "runs/": agents.RunList,
    "runs/<uuid:run_id>/": agents.Run,
    "jobs/": agents.JobList,
    "agents/": agents.Board,
    "agents/<uuid:agent_id>/": agents.Agent,
    "restorations/<uuid:restoration_id>/": agents.Restoration,
    "pauses/": agents.PauseList,
    "pauses/<uuid:pause_id>/": agents.Pause,
    "drift/": agents.Drift,
    "drift/<uuid:state_id>/": agents.DriftOfState,
    "states/": snapshots.StateList,
    "states/<uuid:state_id>/memory/": agents.Memory,
    "states/<uuid:state_id>/": snapshots.State,
    "ledger/": ledger.Ledger,
}
_sockets: list[Any] = [
    path(f"ws/w/<slug:workspace>/{place}", cast(Any, region.as_asgi()))
    for place, region in _regions.items()
]
_sockets.append(re_path("", cast(Any, Nothing.as_asgi())))

application = ProtocolTypeRouter(
    {
        "http": _http,
        "websocket": SameOrigin(AuthMiddlewareStack(URLRouter(_sockets))),
    }
)
