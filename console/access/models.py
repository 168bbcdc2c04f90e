"""Rows: workspaces, people, who belongs where, and tokens of programs."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from console.access.rights import ROLES
from console.ids import new_id


class Workspace(models.Model):
    """The tenant: people, agents, states and policies that belong together."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        """Return the printed name."""
        return self.name


class People(BaseUserManager["User"]):
    """People are found by their e-mail address."""

    def create_user(self, email: str, password: str | None = None, **extra: Any) -> "User":
        """Make a person who signs in with an e-mail address and a password."""
        person = self.model(email=self.normalize_email(email).lower(), **extra)
        person.set_password(password)
        person.save(using=self._db)
        return person


class User(AbstractBaseUser):
    """A person. What they may do is said by their memberships, nowhere else."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=80)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]
    objects = People()

    def __str__(self) -> str:
        """Return the printed name."""
        return self.name

    def get_short_name(self) -> str:
        """Return what a colleague would call them."""
        return self.name.split(" ")[0]


class Membership(models.Model):
    """One role of one person in one workspace."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="memberships")
    person = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=12)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """A role is granted once."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["person", "workspace", "role"], name="a_role_is_granted_once_per_workspace"
            ),
            CheckConstraint(condition=Q(role__in=sorted(ROLES)), name="a_role_is_one_we_know"),
        ]

    def __str__(self) -> str:
        """Return who is what, for a shell."""
        return f"{self.person_id} {self.role} {self.workspace_id}"


class ApiToken(models.Model):
    """A program's key. Only its digest is kept; the key itself is shown once."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.PROTECT, related_name="tokens")
    made_by = models.ForeignKey(User, models.PROTECT, related_name="tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """A token always ends."""

        constraints: ClassVar = [
            CheckConstraint(
                condition=Q(expires_at__gt=models.F("created_at")), name="a_token_always_expires"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["workspace", "-created_at", "-id"])]

    def __str__(self) -> str:
        """Return the name its maker gave it."""
        return self.name


class StepUp(models.Model):
    """A person proved once more who they are, for one purpose, and not for long.

    `purpose` is the SHA-256 of what it was asked for, `about` more of it that whoever uses the
    step-up compares. `code_step` is the time step of a one-time code, which nobody can use twice.
    A passkey leaves its `assertion`: `{"challenge", "host", "public_key", "response"}`. It is
    used once.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    person = models.ForeignKey(User, models.PROTECT, related_name="+")
    purpose = models.CharField(max_length=64)
    about = models.JSONField(default=dict)
    method = models.CharField(max_length=20)
    code_step = models.BigIntegerField(null=True)
    assertion = models.JSONField(null=True)
    verified_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """A one-time code is one."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["person", "code_step"], name="a_code_is_used_once"),
            CheckConstraint(
                condition=Q(method__in=["password_totp", "passkey", "password_recovery"]),
                name="a_step_up_was_made_in_a_known_way",
            ),
        ]

    def __str__(self) -> str:
        """Return who and how, for a shell."""
        return f"{self.person_id} {self.method}"


class StepUpFailure(models.Model):
    """Somebody did not prove who they are; a few of these close the door for a while."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    person = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    at = models.DateTimeField()

    class Meta:
        """Counted by person and time."""

        indexes: ClassVar = [models.Index(fields=["person", "at"], name="failures_of_a_person")]

    def __str__(self) -> str:
        """Return who and when, for a shell."""
        return f"{self.person_id} {self.at}"


class Challenge(models.Model):
    """What a passkey is asked to sign: bytes that only we know beforehand, answered once.

    `challenge` is hexadecimal; `host` the name under which the console was open.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    person = models.ForeignKey(User, models.PROTECT, related_name="+")
    purpose = models.CharField(max_length=64)
    about = models.JSONField(default=dict)
    challenge = models.CharField(max_length=128, unique=True)
    host = models.CharField(max_length=255)
    made_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        """Return for whom, for a shell."""
        return f"{self.person_id} {self.made_at}"
