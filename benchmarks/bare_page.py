"""The one page: lock a row, insert a row, answer."""

from uuid import uuid4

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path

TABLES = """
    CREATE TABLE IF NOT EXISTS bare_case (id int PRIMARY KEY, votes int NOT NULL);
    CREATE TABLE IF NOT EXISTS bare_vote (
        id uuid PRIMARY KEY, case_id int NOT NULL REFERENCES bare_case,
        choice text NOT NULL, at timestamptz NOT NULL DEFAULT now());
    INSERT INTO bare_case SELECT n, 0 FROM generate_series(1, 1000) n ON CONFLICT DO NOTHING;
"""


def vote(_request: HttpRequest, case: int) -> HttpResponse:
    """Lock the case, keep a vote on it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT votes FROM bare_case WHERE id = %s FOR UPDATE", [case])
        cursor.execute(
            "INSERT INTO bare_vote (id, case_id, choice) VALUES (%s, %s, 'approve')",
            [uuid4(), case],
        )
    return HttpResponse("kept")


def ready(_request: HttpRequest) -> HttpResponse:
    """Say that the server has started."""
    return HttpResponse("ready")


urlpatterns = [path("vote/<int:case>/", vote), path("readyz", ready)]
