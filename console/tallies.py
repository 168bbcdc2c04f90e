"""What does this process count of itself for Prometheus?

Labels are routes, statuses and words of ours; never an id, an address or anything somebody typed.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

REQUESTS = Histogram(
    "countersign_http_request_seconds",
    "Requests that were answered, by the template of their address.",
    ["method", "route", "status"],
    buckets=SECONDS,
    registry=REGISTRY,
)
CONNECTIONS_REFUSED = Counter(
    "countersign_connections_refused",
    "Connections refused because too many were open from one address.",
    registry=REGISTRY,
)
REQUESTS_TOO_SLOW = Counter(
    "countersign_requests_too_slow",
    "Requests whose headers or body did not arrive in time.",
    registry=REGISTRY,
)
DOWNLOADS_STALLED = Counter(
    "countersign_downloads_stalled",
    "Answers cut because their reader took nothing for too long.",
    registry=REGISTRY,
)
SOCKETS_OPEN = Gauge("countersign_sockets_open", "Sockets open now.", registry=REGISTRY)
SOCKETS_DROPPED = Counter(
    "countersign_sockets_dropped", "Sockets that we let go.", ["reason"], registry=REGISTRY
)
FRAMES = Counter(
    "countersign_socket_frames", "Frames over sockets.", ["direction"], registry=REGISTRY
)
RATE_LIMITED = Counter(
    "countersign_rate_limited",
    "Requests refused because too many had come.",
    ["limit"],
    registry=REGISTRY,
)
