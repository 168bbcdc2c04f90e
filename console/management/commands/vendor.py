"""Which front-end files do we ship, and are they still the published ones?

`static/vendor.toml` names them. This command fetches and copies; with `--check` it only compares
the committed files with the sums written when they were copied.
"""

import base64
import hashlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

STATIC = Path(settings.BASE_DIR) / "static"
SUMS = STATIC / "vendor" / "SHA256SUMS"
SPRITE = "icons.svg"
# A named map that we do not ship would break the hashed file names of collectstatic.
SOURCE_MAP = re.compile(rb"\n*(//# sourceMappingURL=\S+|/\*# sourceMappingURL=\S+\*/)\s*\Z")
DRAWING = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


class Command(BaseCommand):
    """Copy the vendored files from npm, or check the copies."""

    help = "Fetch the files named in static/vendor.toml, or check the committed copies."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Offer the check that needs no network."""
        parser.add_argument("--check", action="store_true", help="compare, change nothing")

    def handle(self, **options: Any) -> None:
        """Check or fetch."""
        manifest = tomllib.loads((STATIC / "vendor.toml").read_text())
        if options["check"]:
            _check(manifest)
            self.stdout.write("Every vendored file is as it was published.")
            return
        for package in manifest["package"]:
            _fetch(package, manifest["icons"])
            self.stdout.write(f"{package['name']} {package['version']} ({package['licence']})")
        SUMS.write_text("".join(f"{_sum(name)}  {name}\n" for name in _named(manifest)))


def _check(manifest: dict[str, Any]) -> None:
    recorded = {
        name: digest
        for digest, name in (line.split("  ", 1) for line in SUMS.read_text().splitlines())
    }
    named, present = set(_named(manifest)), set(_present())
    complaints = [
        *(f"{name} is missing" for name in sorted(named - present)),
        *(f"{name} is not named in vendor.toml" for name in sorted(present - named)),
        *(
            f"{name} was changed after it was copied"
            for name in sorted(named & present)
            if recorded.get(name) != _sum(name)
        ),
    ]
    if complaints:
        raise CommandError("\n".join(complaints))


def _named(manifest: dict[str, Any]) -> list[str]:
    files = [to for package in manifest["package"] for to in package["files"].values()]
    return sorted([*files, SPRITE])


def _present() -> Iterator[str]:
    found = (path for path in (STATIC / "vendor").rglob("*") if path.is_file() and path != SUMS)
    yield from (path.relative_to(STATIC).as_posix() for path in found)
    if (STATIC / SPRITE).exists():
        yield SPRITE


def _sum(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()


def _fetch(package: dict[str, Any], icons: dict[str, list[str]]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        tarfile.open(_pack(package, Path(folder))) as archive,
    ):
        for source, target in package["files"].items():
            _write(STATIC / target, SOURCE_MAP.sub(b"\n", _read(archive, source)))
        if package["name"] == "lucide-static":
            _write(STATIC / SPRITE, _sprite(archive, icons).encode())


def _pack(package: dict[str, Any], folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise CommandError("npm was not found; it is needed to fetch, not to run or to --check.")
    wanted = f"{package['name']}@{package['version']}"
    subprocess.run([npm, "pack", wanted, "--silent"], cwd=folder, check=True, capture_output=True)
    tarball = next(folder.glob("*.tgz"))
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if package["integrity"] != f"sha512-{digest}":
        raise CommandError(f"{wanted} is not the file we reviewed: sha512-{digest}")
    return tarball


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(f"package/{name}")
    if member is None:
        raise CommandError(f"{name} is not a file in this package.")
    return member.read()


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def _sprite(archive: tarfile.TarFile, icons: dict[str, list[str]]) -> str:
    symbols = [
        f'<symbol id="{name}" viewBox="0 0 24 24">{drawing}</symbol>'
        for icon, words in icons.items()
        for drawing in [_drawing(_read(archive, f"icons/{icon}.svg").decode())]
        for name in (icon, *words)
    ]
    licence = "<!-- Lucide, ISC and MIT: see vendor/lucide/LICENSE -->"
    svg = '<svg xmlns="http://www.w3.org/2000/svg">'
    return "\n".join([svg, licence, *symbols, "</svg>", ""])


def _drawing(icon: str) -> str:
    found = DRAWING.search(icon)
    if found is None:
        raise CommandError("An icon holds no drawing.")
    return re.sub(r"\s+", " ", found[1]).replace(" />", "/>").replace("> <", "><").strip()
