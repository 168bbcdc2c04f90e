"""A program that talks to the API."""

import json
from itertools import count
from typing import Any

from django.http import HttpResponse
from django.test import Client

from console.actors import Actor
from tests.story import Cast

JOBS, PROPOSALS = "/api/v1/jobs", "/api/v1/proposals"
RESTORATIONS = "/api/v1/restorations"
_keys = count(1)


class Robot:
    """Sends requests with a token of somebody; a failure inside is an answer of 500."""

    def __init__(self, secret: str = "") -> None:
        """Keep the token's secret, if there is one."""
        self.client = Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {secret}"} if secret else {}

    def get(self, path: str, /, headers: dict[str, str] | None = None, **query: str | float) -> Any:
        """Read."""
        return self.client.get(
            path, {n: str(v) for n, v in query.items()}, headers={**self.headers, **(headers or {})}
        )

    def delete(self, path: str) -> Any:
        """Take something away."""
        return self.client.delete(path, headers=self.headers)

    def put(self, path: str, body: object) -> Any:
        """Say what something is."""
        return self.client.put(path, body, content_type="application/json", headers=self.headers)

    def post(
        self,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Write; bytes are sent as they are, and an Idempotency-Key is invented if not given."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        key = f"key-{next(_keys)}" if key is None else key
        more = {"Idempotency-Key": key} if key else {}
        # Not `post`, which would write the body anew in the charset that the type names.
        return self.client.generic(
            "POST",
            path,
            sent if body is not None else b"",
            content_type=content_type,
            headers={**self.headers, **more, **(headers or {})},
        )


def robot_of(cast: Cast, maker: Actor, *scopes: str) -> Robot:
    """Return a program whose token that person made; with all scopes if none are named."""
    return Robot(cast.token(maker, *scopes))


def code_of(answer: HttpResponse) -> str:
    """Return status and code of a problem, and check that it is one."""
    assert answer["Content-Type"] == "application/problem+json", answer.content
    body = json.loads(answer.content)
    assert body["status"] == answer.status_code
    assert body["type"] == f"urn:countersign:problem:{body['code']}"
    assert body["title"]
    assert body["detail"]
    return f"{answer.status_code} {body['code']}"
