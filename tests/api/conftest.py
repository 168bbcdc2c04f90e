"""What the API's tests may ask for."""

from pathlib import Path

import pytest
from pytest_django import Settings

from agents.workflows import Context, Workflow, register_workflow
from console.canonical import Json
from tests.api.robots import Robot, robot_of
from tests.story import Cast


@pytest.fixture(autouse=True)
def plain_static_files(settings: Settings, tmp_path: Path) -> None:
    """Need no collected files: the API has none, and an error page shows only their names."""
    settings.STATIC_ROOT = tmp_path
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


def pay(context: Context) -> Json:
    """Propose one payment and tell how it ended."""
    params = {"vendor": "V7", "amount": context.job_input["amount"]}
    return context.propose(agent="scout", action_type="pay", params=params).status


@pytest.fixture
def cast() -> Cast:
    """Return everybody; jobs can `pay` an `amount`."""
    schema = {
        "type": "object",
        "required": ["amount"],
        "properties": {"amount": {"type": "integer"}, "memo": {}},
    }
    register_workflow(Workflow("pay", "Pay", pay, schema))
    return Cast.build()


@pytest.fixture
def robot(cast: Cast) -> Robot:
    """Return a program of Eve's that may do all that a program may."""
    return robot_of(cast, cast.eve)
