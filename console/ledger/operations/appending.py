"""Append one line to a workspace's ledger."""

from datetime import datetime

from django.db import connection, transaction

from console.actors import Actor
from console.canonical import Json
from console.ledger.chain import GENESIS, Line
from console.ledger.models import Chain, Entry
from console.live import ring
from console.locking import patiently


def append(actor: Actor, verb: str, subject: str, body: dict[str, Json]) -> Entry:
    """Write the next line of the actor's workspace; part of the caller's transaction.

    Locks: the workspace's chain until the transaction ends, so operations append last.
    Time: the database's clock, read under the lock, so that lines are in order of time.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("The ledger is written with what it records.")
    chain = _locked(actor)
    line = Line(
        workspace=str(actor.workspace_id),
        seq=chain.seq + 1,
        at=_clock(),
        actor=actor.to_json(),
        verb=verb,
        subject=subject,
        body=body,
    )
    digest = line.digest(chain.digest)
    entry = Entry.objects.create(
        workspace_id=actor.workspace_id,
        seq=line.seq,
        at=line.at,
        actor=line.actor,
        verb=verb,
        subject=subject,
        body=body,
        previous=chain.digest,
        digest=digest,
    )
    Chain.objects.filter(workspace_id=actor.workspace_id).update(seq=line.seq, digest=digest)
    ring("ledger", actor.workspace_id)
    return entry


def _locked(actor: Actor) -> Chain:
    rows = Chain.objects.select_for_update(no_key=True).filter(workspace_id=actor.workspace_id)
    with patiently():
        chain = rows.first()
    if chain is not None:
        return chain
    Chain.objects.bulk_create(
        [Chain(workspace_id=actor.workspace_id, seq=0, digest=GENESIS)], ignore_conflicts=True
    )
    return rows.get()


def _clock() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        at: datetime = cursor.fetchone()[0]
    return at
