"""Is this process alive, and can it serve?"""

from django.db import OperationalError, connection
from django.http import HttpRequest, JsonResponse


def healthz(_request: HttpRequest) -> JsonResponse:
    """Say that the process answers."""
    return JsonResponse({"status": "alive"})


def readyz(_request: HttpRequest) -> JsonResponse:
    """Say whether the database answers; the broker may be down, work then waits for it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except OperationalError:
        return JsonResponse({"status": "no database"}, status=503, headers={"Retry-After": "2"})
    return JsonResponse({"status": "ready"})
