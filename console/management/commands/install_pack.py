"""Bring the action types of a pack into a workspace, so that its agents can propose there."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents import packs
from approvals.operations.registering import declare
from console.access.models import Workspace
from console.actors import system
from console.errors import Refused


class Command(BaseCommand):
    """Declare what a pack may propose; the same pack twice changes nothing."""

    help = "Declare the action types of a pack in a workspace; a second time changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take which pack, and whose workspace."""
        parser.add_argument("name", help="the pack, as check_workflows names it")
        parser.add_argument("--workspace", required=True, metavar="SLUG")

    def handle(self, *, name: str, workspace: str, **_options: Any) -> None:
        """Declare each action type, and say which. Raises: CommandError."""
        pack = packs.named(name)
        if pack is None:
            known = ", ".join(each.name for each in packs.loaded())
            raise CommandError(f"There is no pack {name!r} here; there are {known}.")
        place = Workspace.objects.filter(slug=workspace).first()
        if place is None:
            raise CommandError(f"There is no workspace {workspace!r}.")
        actor = system("setup", place.id)
        for spec in pack.action_types:
            try:
                declare(actor, spec)
            except Refused as refused:
                raise CommandError(f"{spec.name}: {refused.sentence}") from refused
        listed = ", ".join(spec.name for spec in pack.action_types) or "no action types"
        self.stdout.write(f"{place.name}: {listed}")
