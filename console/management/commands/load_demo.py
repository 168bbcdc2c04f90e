"""Which worlds can a newcomer walk into? Two invented ones, made once and found again later.

Nothing but these two workspaces is touched, so a console that is in real use can be shown around
in as well. Sign-ins and tokens stand in `demo.json` in the run folder, for its owner only. Where
the console has no connectors yet, the finance team's payments leave the house as files in a folder.
"""

import json
import os
import secrets
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from agents import queries as agents
from agents.operations.submitting import JobRequest, submit
from agents.packs import care, finance
from agents.packs.finance import sending
from approvals.connectors.settings import BadSettings, load
from approvals.operations.announcing import announce_connectors
from approvals.operations.installing import install
from approvals.operations.registering import ActionTypeSpec, declare
from console.access import queries as access
from console.access.models import ApiToken, User, Workspace
from console.access.operations.granting import enrol, found, grant
from console.access.operations.keying import make_token
from console.access.rights import SCOPES
from console.actors import Actor, system
from console.supervision import addresses
from snapshots import queries as snapshots
from snapshots.operations.creating import create_state
from snapshots.operations.marking import name
from snapshots.operations.reading import report

WORLDS = (finance, care)
PASSWORD_BYTES = 12
BEGINNING = "Before the agents began"
TOKEN_LIFETIME = timedelta(days=365)
# The staff knows both houses; a reviewer belongs to one, and finds nothing in the other. Policies
# are changed by one admin and agreed to by the other.
STAFF = {"ada": "admin", "amir": "admin", "cleo": "auditor", "eve": "engineer"}
REVIEWERS = {finance.SLUG: ("ana", "ben"), care.SLUG: ("noor", "tom")}
NAMES = {
    "ana": "Ana Belmonte",
    "ben": "Ben Achterberg",
    "noor": "Noor Halvorsen",
    "tom": "Tom Ashgrove",
    "ada": "Ada Winterfeld",
    "amir": "Amir Solheim",
    "cleo": "Cleo Marchetti",
    "eve": "Eve Lindqvist",
}

Note = dict[str, str]


class Command(BaseCommand):
    """Make the two demo worlds, or complete what is missing of them."""

    help = "Make two demo workspaces with people, policies and jobs; a second time adds nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what the supervisor says."""
        parser.add_argument(
            "--sends",
            action="store_true",
            help="let payments leave the house, into a folder beside the data",
        )

    def handle(self, *, sends: bool = False, **_options: Any) -> None:
        """Make both worlds, keep the sign-ins, say what there is."""
        self._sends = sends
        kept = _kept()
        password = kept[0]["password"] if kept else secrets.token_urlsafe(PASSWORD_BYTES)
        # Written before anybody can sign in, so that no password is ever lost to an interruption.
        notes = [note for world in WORLDS for note in _notes(world.SLUG, password, kept)]
        _keep(notes)
        for world in WORLDS:
            self._make(world, [note for note in notes if note["workspace"] == world.SLUG], notes)
        self.stdout.write(f"Sign-ins and tokens: {_file()}")

    def _make(self, world: Any, own: list[Note], notes: list[Note]) -> None:
        now = datetime.now(UTC)
        workspace = found(world.SLUG, world.NAME)
        setup = system("setup", workspace.id)
        engineer = next(note for note in own if note["role"] == "engineer")
        token = _known_token(engineer, workspace, now)
        people = {note["email"]: _person(note, setup) for note in own}
        if token is None:
            _renew_passwords(own, people)
            token = _new_token(engineer, people[engineer["email"]], workspace, now)
            _keep(notes)
        is_sending = self._sends and world is finance
        _furnish(world, sending.ACTION_TYPES_SENT if is_sending else world.ACTION_TYPES, setup, now)
        if is_sending:
            self._open_the_way_out(now)
        new = _submit_jobs(world, access.token_as_actor(token), now)
        self.stdout.write(f"{world.NAME}: {len(own)} people, {new} new jobs, at /w/{world.SLUG}/")

    def _open_the_way_out(self, now: datetime) -> None:
        """Write the sender's settings once, and announce them before anything is proposed."""
        try:
            announce_connectors(load(str(_settings()), os.environ), now=now)
        except BadSettings as error:
            # The sender says the same of them, and nothing leaves the house until they are right.
            self.stderr.write(f"Nothing leaves the house: {error}")


def _settings() -> Path:
    """Return the sender's settings; whoever asks first makes them, with the folder they name."""
    folder = addresses.private_dir(addresses.var_dir() / sending.CONNECTOR)
    return addresses.kept_file(addresses.connector_settings(), lambda: sending.settings(folder))


def _notes(slug: str, password: str, kept: list[Note]) -> Iterator[Note]:
    tokens = {(note["workspace"], note["email"]): note.get("token") for note in kept}
    for key in (*REVIEWERS[slug], *STAFF):
        email = f"{key}@countersign.example"
        note = {
            "name": NAMES[key],
            "email": email,
            "password": password,
            "role": STAFF.get(key, "reviewer"),
            "workspace": slug,
        }
        if token := tokens.get((slug, email)):
            note["token"] = token
        yield note


def _person(note: Note, setup: Actor) -> User:
    person = enrol(note["email"], note["name"], note["password"])
    grant(setup, setup.workspace_id, person, note["role"])
    return person


def _renew_passwords(notes: list[Note], people: dict[str, User]) -> None:
    """Make true what the file says: it is new, or comes from another database."""
    for note in notes:
        person = people[note["email"]]
        if not person.check_password(note["password"]):
            person.set_password(note["password"])
            person.save(update_fields=["password"])


def _furnish(
    world: Any, action_types: tuple[ActionTypeSpec, ...], setup: Actor, now: datetime
) -> None:
    for spec in action_types:
        declare(setup, spec)
    install(actor=setup, rules=world.POLICIES, now=now)
    if snapshots.find(setup.workspace_id, world.STATE_KEY) is None:
        _open_books(world, setup, now)


def _open_books(world: Any, setup: Actor, now: datetime) -> None:
    """Make the record, name its beginning, and say what the house's own system says of it."""
    with transaction.atomic():
        state = create_state(
            actor=setup,
            key=world.STATE_KEY,
            document=world.document(),
            reason="Demo world",
            now=now,
            list_keys=world.LIST_KEYS,
        )
        name(actor=setup, state_id=state.state_id, number=1, called=BEGINNING, reason="", now=now)
        report(actor=setup, state_id=state.state_id, document=world.outside(), now=now)


def _known_token(note: Note, workspace: Workspace, now: datetime) -> ApiToken | None:
    """Return the engineer's token if it works here: file and database then belong together."""
    token = access.token_for(note["token"], now) if "token" in note else None
    return token if token is not None and token.workspace_id == workspace.id else None


def _new_token(note: Note, engineer: User, workspace: Workspace, now: datetime) -> ApiToken:
    actor = access.person_as_actor(engineer, workspace.id, {"engineer"})
    token, note["token"] = make_token(
        actor=actor, name="Demo client", scopes=sorted(SCOPES), lifetime=TOKEN_LIFETIME, now=now
    )
    return token


def _submit_jobs(world: Any, client: Actor, now: datetime) -> int:
    """Submit each demo job unless this or an earlier token did; return how many are new."""
    rows = agents.jobs(client.workspace_id).filter(idempotency_key__startswith="demo-")
    known = set(rows.values_list("idempotency_key", flat=True))
    new = 0
    for number, (label, tasks) in enumerate(world.DEMO_JOBS, start=1):
        request = JobRequest(
            workflow=world.WORKFLOW,
            state_key=world.STATE_KEY,
            job_input={"only": list(tasks)},
            idempotency_key=f"demo-{number}",
            label=label,
        )
        if request.idempotency_key not in known:
            submit(actor=client, request=request, now=now)
            new += 1
    return new


def _file() -> Path:
    return addresses.private_dir(addresses.run_dir()) / "demo.json"


def _kept() -> list[Note]:
    file = _file()
    notes: list[Note] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    return notes


def _keep(notes: list[Note]) -> None:
    file = _file()
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(notes, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(file)
