"""Where do the console's data, its sockets and its servers live?

Settings ask here while Django is still being set up, so nothing in this file needs Django.
"""

import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
# The address of a socket holds 103 bytes on macOS and 107 on Linux; PostgreSQL adds 14 of its own.
LONGEST_RUN_DIR_BYTES = 88
# As whom a process works in the database; what is not named is a worker.
ROLES = {"web": "web", "sender": "sender"}
DATABASE_URL_OF = "DATABASE_URL_"


def var_dir() -> Path:
    """Return the folder of everything that must outlive a restart."""
    return Path(os.environ.get("COUNTERSIGN_VAR") or REPOSITORY / "var").resolve()


def run_dir() -> Path:
    """Return the folder of sockets, which stands elsewhere when its own path is too long."""
    beside_the_data = var_dir() / "run"
    path = os.fsencode(beside_the_data)
    if len(path) <= LONGEST_RUN_DIR_BYTES:
        return beside_the_data
    # Not TMPDIR, which may differ between the processes that have to meet here.
    return Path(f"/tmp/countersign-{os.getuid()}-{hashlib.sha256(path).hexdigest()[:12]}")  # noqa: S108


def connector_settings() -> Path:
    """Return the file of connectors that the sender reads when the operator names no other."""
    return var_dir() / "connectors.toml"


def default_database_url() -> str:
    """Return the address of the PostgreSQL that `manage.py up` starts."""
    return f"postgresql://countersign@/countersign?host={run_dir()}"


def database_url_of(process: str) -> str:
    """Return the address under which a process knows its database.

    That PostgreSQL, or the operator's: `DATABASE_URL_WEB` and its like name it with the role of
    one process, `DATABASE_URL` for all that have none. See console/database/privileges.py.
    """
    role = ROLES.get(process, "worker")
    if own := os.environ.get(f"{DATABASE_URL_OF}{role.upper()}") or os.environ.get("DATABASE_URL"):
        return own
    return f"postgresql://countersign_{role}@/countersign?host={run_dir()}"


def default_broker_url() -> str:
    """Return the address of our Valkey as Celery writes it."""
    return f"redis+socket://{run_dir()}/valkey.sock?virtual_host=1"


def default_channel_url() -> str:
    """Return the address of the broker, or else of our Valkey, as the channel layer writes it."""
    broker = os.environ.get("BROKER_URL", "")
    if broker.startswith(("redis://", "rediss://")):
        return broker
    if broker.startswith("redis+socket://"):
        return broker.replace("redis+socket://", "unix://").replace("?virtual_host=", "?db=")
    return own_channel_url()


def own_channel_url() -> str:
    """Return the address of the Valkey that `manage.py up` starts."""
    return f"unix://{run_dir()}/valkey.sock?db=0"


def secret_key() -> str:
    """Return the key kept in the data folder; whoever asks first makes it."""
    return kept_secret(var_dir() / "secret_key", lambda: secrets.token_urlsafe(48))


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """Return what a file keeps that its owner alone can read; whoever asks first makes it."""
    return kept_file(path, make).read_text()


def kept_file(path: Path, make: Callable[[], str]) -> Path:
    """Return a file that its owner alone can read; whoever asks first makes it."""
    if not path.exists():
        _write_once(path, make())
    return path


def private_dir(path: Path) -> Path:
    """Make a folder that only its owner can enter.

    Raises: PermissionError when a stranger made it first, whose sockets we would trust.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to another user; remove it or choose another place.")
    return path


def _write_once(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    # A link appears whole or not at all, so two first starts agree on one key.
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
