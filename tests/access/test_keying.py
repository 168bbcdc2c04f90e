"""Making tokens: shown once, kept as a digest, and dead as soon as anything says so."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from console.access.models import ApiToken, User
from console.access.operations.granting import revoke_role
from console.access.operations.keying import TokenUnusable, make_token, note_use, revoke_token
from console.access.queries import token_as_actor, token_for
from console.actors import Actor
from console.errors import Forbidden, NotFound
from tests.story import Cast

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MONTH = timedelta(days=30)


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


def make(actor: Actor, lifetime: timedelta = MONTH, **more: object) -> tuple[ApiToken, str]:
    values: dict[str, object] = {"name": " robot ", "scopes": ["jobs:write", "jobs:read"], **more}
    return make_token(actor=actor, lifetime=lifetime, now=NOW, **values)  # type: ignore[arg-type]


def test_keeps_only_the_digest_of_the_secret(cast: Cast) -> None:
    token, secret = make(cast.eve)
    assert secret.startswith("csg_")
    assert len(secret) == 47
    assert token.digest == sha256(secret.encode()).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(t)::text FROM access_apitoken t")
        kept = str(cursor.fetchall())
        cursor.execute("SELECT body::text FROM ledger_entry")
        kept += str(cursor.fetchall())
    assert secret not in kept
    assert secret[10:] not in kept
    assert secret[:10] in kept


def test_never_gives_the_same_secret_twice(cast: Cast) -> None:
    assert len({make(cast.eve)[1] for _ in range(20)}) == 20


def test_makes_a_program_with_its_maker_behind_it(cast: Cast) -> None:
    token, secret = make(cast.eve)
    found = token_for(secret, NOW)
    assert found == token
    actor = token_as_actor(token)
    assert (actor.ref, actor.name, actor.roles) == (f"client:{token.id}", "robot", frozenset())
    assert actor.lineage == [f"client:{token.id}", cast.eve.ref]
    assert actor.workspace_id == cast.workspace.id
    assert token.scopes == ["jobs:read", "jobs:write"]


@pytest.mark.parametrize("name", ["ana", "cleo"])
def test_is_refused_to_reviewers_and_auditors(cast: Cast, name: str) -> None:
    with pytest.raises(Forbidden):
        make(getattr(cast, name))
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["jobs:read", "proposals:decide"]}, "scopes"),
        ({"lifetime": timedelta(0)}, "days"),
        ({"lifetime": timedelta(seconds=-1)}, "days"),
        ({"lifetime": timedelta(days=367)}, "days"),
    ],
)
def test_is_refused_with_the_field_that_is_wrong(
    cast: Cast, wrong: dict[str, object], field: str
) -> None:
    with pytest.raises(TokenUnusable) as refused:
        make(cast.eve, **wrong)  # type: ignore[arg-type]
    assert refused.value.details == {"field": field}


@pytest.mark.parametrize(
    "secret", ["", "csg_", "x" * 47, "csg_é", "csg_\x00", "' OR 1=1 --", "csg_" + "A" * 100_000]
)
def test_lets_no_invented_secret_in(cast: Cast, secret: str) -> None:
    make(cast.eve)
    assert token_for(secret, NOW) is None


@pytest.mark.parametrize(
    ("later", "is_live"),
    [
        (timedelta(0), True),
        (MONTH - timedelta(seconds=1), True),
        (MONTH, False),
        (2 * MONTH, False),
    ],
)
def test_ends_on_its_day(cast: Cast, later: timedelta, is_live: bool) -> None:
    _, secret = make(cast.eve)
    assert (token_for(secret, NOW + later) is not None) is is_live


def test_always_has_an_end(cast: Cast) -> None:
    token, _ = make(cast.eve)
    with pytest.raises(IntegrityError, match="a_token_always_expires"), transaction.atomic():
        ApiToken.objects.filter(id=token.id).update(expires_at=token.created_at)


def test_ends_when_it_is_revoked_and_twice_is_once(cast: Cast) -> None:
    token, secret = make(cast.eve)
    for minute in (1, 2):
        later = NOW + timedelta(minutes=minute)
        revoke_token(actor=cast.ada, token_id=token.id, now=later)
    token.refresh_from_db()
    assert token.revoked_at == NOW + timedelta(minutes=1)
    assert token_for(secret, NOW) is None
    assert cast.said(f"client:{token.id}") == ["token.made", "token.revoked"]


def test_is_not_revoked_by_those_who_may_not_or_from_elsewhere(cast: Cast) -> None:
    token, secret = make(cast.eve)
    with pytest.raises(Forbidden):
        revoke_token(actor=cast.ana, token_id=token.id, now=NOW)
    for stranger, token_id in ((cast.zoe, token.id), (cast.ada, uuid4())):
        with pytest.raises(NotFound):
            revoke_token(actor=stranger, token_id=token_id, now=NOW)
    assert token_for(secret, NOW) == token


def test_ends_with_its_maker(cast: Cast) -> None:
    _, secret = make(cast.eve)
    User.objects.filter(id=cast.eve.id).update(is_active=False)
    assert token_for(secret, NOW) is None


def test_ends_with_its_makers_role(cast: Cast) -> None:
    _, secret = make(cast.eve)
    revoke_role(cast.ada, cast.workspace.id, cast.user(cast.eve), "engineer")
    assert token_for(secret, NOW) is None


def test_is_not_kept_alive_by_a_lesser_role_or_a_role_elsewhere(cast: Cast) -> None:
    both = cast.enlist("Finn", "engineer", "reviewer")
    _, secret = make(both)
    revoke_role(cast.ada, cast.workspace.id, cast.user(both), "engineer")
    assert token_for(secret, NOW) is None
    _, zoes = make(cast.zoe)
    assert token_for(zoes, NOW) is not None


def test_notes_its_last_use_by_the_minute(cast: Cast) -> None:
    token, _ = make(cast.eve)
    for seconds, noted in ((0, 0), (59, 0), (61, 61)):
        token.refresh_from_db()
        note_use(token, NOW + timedelta(seconds=seconds))
        token.refresh_from_db()
        assert token.last_used_at == NOW + timedelta(seconds=noted)
