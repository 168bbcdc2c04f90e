"""Make and revoke the tokens of programs."""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from django.db import transaction

from console.access.models import ApiToken
from console.access.rights import allows, unknown_scopes
from console.actors import Actor
from console.errors import Forbidden, Invalid, NotFound
from console.ledger.operations.appending import append

LONGEST_LIFE = timedelta(days=366)
NAME_AT_MOST = 80


class TokenUnusable(Invalid):
    """This token cannot be made as asked."""

    code = "token_invalid"


def make_token(
    *, actor: Actor, name: str, scopes: list[str], lifetime: timedelta, now: datetime
) -> tuple[ApiToken, str]:
    """Keep a new token's digest and return the row with the secret, which is shown once.

    Raises: Forbidden (403), TokenUnusable (422).
    """
    if not allows(actor.roles, "tokens"):
        raise Forbidden("Only engineers and admins may make tokens.")
    _check(name, scopes, lifetime)
    secret = f"csg_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        token = ApiToken.objects.create(
            workspace_id=actor.workspace_id,
            made_by_id=UUID(actor.id),
            name=name.strip(),
            prefix=secret[:10],
            digest=sha256(secret.encode()).hexdigest(),
            scopes=sorted(set(scopes)),
            created_at=now,
            expires_at=now + lifetime,
        )
        body = {"name": token.name, "scopes": token.scopes}
        append(actor, "token.made", f"client:{token.id}", {**body})
    return token, secret


def _check(name: str, scopes: list[str], lifetime: timedelta) -> None:
    if not name.strip() or len(name) > NAME_AT_MOST or "\x00" in name:
        raise TokenUnusable(
            f"A token needs a name of 1 to {NAME_AT_MOST} characters.", field="name"
        )
    if not scopes:
        raise TokenUnusable("A token needs at least one scope.", field="scopes")
    if strangers := unknown_scopes(scopes):
        raise TokenUnusable(f"There is no scope {strangers[0]!r}.", field="scopes")
    if not timedelta(0) < lifetime <= LONGEST_LIFE:
        raise TokenUnusable("A token lives for at least a day and at most a year.", field="days")


def revoke_token(*, actor: Actor, token_id: UUID, now: datetime) -> None:
    """End a token at once; twice is once.

    Raises: Forbidden (403), NotFound (404).
    """
    if not allows(actor.roles, "tokens"):
        raise Forbidden("Only engineers and admins may revoke tokens.")
    with transaction.atomic():
        rows = ApiToken.objects.select_for_update(no_key=True).filter(
            workspace_id=actor.workspace_id
        )
        token = rows.filter(id=token_id).first()
        if token is None:
            raise NotFound
        if token.revoked_at is None:
            ApiToken.objects.filter(id=token.id).update(revoked_at=now)
            append(actor, "token.revoked", f"client:{token.id}", {"name": token.name})


def note_use(token: ApiToken, now: datetime) -> None:
    """Remember when a token was last used, to the minute, so that reads stay reads."""
    if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=1):
        ApiToken.objects.filter(id=token.id).update(last_used_at=now)
