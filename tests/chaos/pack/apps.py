"""Workflows that no worker survives, for F22."""

import ctypes
import os

from django.apps import AppConfig

from agents.workflows import Context, Workflow, register_workflow
from console.canonical import Json

POISON = "chaos-poison"
OUTPUT_BYTES = 5_000_000


def poison(context: Context) -> Json:
    """Do something harmless, and then what no worker survives, or nobody wants to keep."""
    how = context.job_input.get("how", "segfault")
    context.tool(agent="poison", name="look", args={}, function=lambda: {"seen": how})
    if how == "segfault":
        ctypes.string_at(0)
    if how == "exit":
        os._exit(3)
    return context.tool(agent="poison", name="flood", args={}, function=lambda: "x" * OUTPUT_BYTES)


class PackConfig(AppConfig):
    """Registers the workflows of this pack."""

    name = "tests.chaos.pack"
    label = "chaos_pack"

    def ready(self) -> None:
        """Make the workflow known in every process."""
        register_workflow(Workflow(POISON, "Poison", poison))
