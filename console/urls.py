"""Every address of the console."""

from django.urls import include, path

from console.api import api, docs
from console.health import healthz, readyz
from console.metrics import metrics

urlpatterns = [
    path("", include("console.access.urls")),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("api/docs", docs, name="api_docs"),
    path("api/v1/", api.urls),
    path("w/<slug:workspace>/", include("approvals.urls")),
    path("w/<slug:workspace>/", include("agents.urls")),
    path("w/<slug:workspace>/", include("snapshots.urls")),
    path("w/<slug:workspace>/", include("console.ledger.urls")),
    path("w/<slug:workspace>/", include("console.notices.urls")),
]

handler400 = "console.access.views.bad_request"
handler403 = "console.access.views.forbidden"
handler404 = "console.access.views.not_found"
handler500 = "console.access.views.failed"
