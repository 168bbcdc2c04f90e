"""The entry point for Daphne: pages, API and sockets in one process."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
_http = get_asgi_application()

from django.urls import path  # noqa: E402  (models can be imported only after the set-up)

from agents import consumers as agents  # noqa: E402
from approvals import consumers as approvals  # noqa: E402
from console.ledger import consumers as ledger  # noqa: E402
from snapshots import consumers as snapshots  # noqa: E402

_sockets = [
    path("ws/w/<slug:workspace>/queue/", approvals.Queue.as_asgi()),
    path("ws/w/<slug:workspace>/proposals/<uuid:proposal_id>/", approvals.Proposal.as_asgi()),
    path("ws/w/<slug:workspace>/runs/", agents.RunList.as_asgi()),
    path("ws/w/<slug:workspace>/jobs/", agents.JobList.as_asgi()),
    path("ws/w/<slug:workspace>/runs/<uuid:run_id>/", agents.Run.as_asgi()),
    path("ws/w/<slug:workspace>/states/", snapshots.StateList.as_asgi()),
    path("ws/w/<slug:workspace>/states/<uuid:state_id>/", snapshots.State.as_asgi()),
    path("ws/w/<slug:workspace>/ledger/", ledger.Ledger.as_asgi()),
]

application = ProtocolTypeRouter(
    {
        "http": _http,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(_sockets))),
    }
)
