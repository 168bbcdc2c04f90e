"""A workflow that asks a model, and a worker for it: `python -m tests.agents.speaking`."""

import os

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()

from agents.providers import named
from agents.workflows import (
    Context,
    Message,
    ModelFailed,
    Workflow,
    register_workflow,
)
from console.canonical import Json


def register() -> None:
    """Make the workflow known in this process."""
    register_workflow(Workflow("speak", "Speak", speak))


def speak(context: Context) -> Json:
    """Ask the model as often as the job says; what fails is told, and does not end the run."""
    said: list[Json] = []
    for number in range(context.job_input.get("times", 1)):
        message = Message("Be brief.", f"Question {number}?")
        try:
            reply = context.model(agent="scout", message=message, provider=named())
        except ModelFailed as failed:
            said.append({"failed": str(failed)})
        else:
            said.append({"text": reply.text, "tokens": reply.tokens})
    return {"said": said}


def main() -> None:
    """Work until nothing is ready."""
    from agents.operations.running import work  # noqa: PLC0415  (needs Django to be set up)

    register()
    work()


if __name__ == "__main__":
    main()
