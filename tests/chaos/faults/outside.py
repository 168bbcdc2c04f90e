"""Faults of those we talk to: the bank, the wire to it, and clients that only cost."""

import contextlib
import random
import socket
from urllib.parse import urlsplit

from approvals.models import Attempt, Observation
from tests.chaos.faults.stage import Fault
from tests.chaos.proxy import Hit

ENDLESS_BYTES = 40_000_000
MOODS = {
    "ok": 78,
    "slow": 3,
    "refuse": 3,
    "execute_then_hang": 2,
    "hang_then_execute": 2,
    "execute_then_500": 4,
    "reset_mid_body": 4,
    "duplicate_callback": 2,
    "late_callback": 2,
}


class RequestsAreCut(Fault):
    """F11."""

    name, title = "F11", "cut the wire to the bank after the bytes of the request"
    expected = "every such attempt is unknown, then in doubt; none is taken for done"
    every = 1.9

    def strike(self, chance: random.Random) -> bool:
        """Keep a cut ready; a part of the request only, now and then."""
        wire = self.product.to_bank
        if wire.armed > 2:
            return False
        after = None if chance.random() < 0.9 else chance.randint(1, 300)
        wire.arm(Hit("cut", after))
        return True

    def look(self) -> None:
        """Count the cuts, and what the console made of them."""
        for _, part in self.product.to_bank.cuts:
            self.seen["cut after the whole request" if part == "all" else "cut within it"] += 1
        self.seen["attempts unknown"] = Attempt.objects.filter(outcome="unknown").count()


class WireMisbehaves(Fault):
    """A part of F11."""

    name, title = "F11b", "reset before the first byte, delay, swallow the answer, deliver twice"
    expected = "not reached costs no attempt; the rest is in doubt, or one entry under one key"
    every = 12.0

    def strike(self, chance: random.Random) -> bool:
        """Keep one ready."""
        if self.product.to_bank.armed > 1:
            return False
        kind = chance.choice(["reset", "delay", "drop", "duplicate"])
        self.product.to_bank.arm(Hit(kind, seconds=chance.uniform(0.2, 2.0)))
        return True

    def look(self) -> None:
        """Count what came to pass."""
        for kind in ("reset", "delay", "drop", "duplicate"):
            self.seen[kind] = self.product.to_bank.counts[kind]


class BankMisbehaves(Fault):
    """F21."""

    name, title = "F21", "the bank hangs, breaks off, answers late, executes after all"
    expected = "in doubt, then settled once"
    every = 20.0

    def strike(self, chance: random.Random) -> bool:
        """Change its mood: well for a while, or worse than usual."""
        worse = chance.uniform(0.5, 3.0)
        weights = {mode: (w if mode == "ok" else w * worse) for mode, w in MOODS.items()}
        self.product.mood(weights, hang=3.0, late=3.0, slow=0.3)
        return True

    def look(self) -> None:
        """Count its moods, and what came of them."""
        from tests.chaos.bank import Books  # noqa: PLC0415

        self.seen.update(Books(self.product.bank_dir).modes())
        self.seen["observations"] = Observation.objects.count()


class SlowClients(Fault):
    """F13."""

    name, title = "F13", "slow headers, an endless chunked body, a client that stops reading"
    expected = "turned away; memory grows by at most 20 MB"
    every = 90.0

    def strike(self, chance: random.Random) -> bool:
        """Open some of each, and look at the memory of the process that has them."""
        address = urlsplit(self.product.addresses[0])
        pid, before = self.product.pid("web"), self.product.rss()["web"]
        peers = [self._dawdle(str(address.hostname), int(address.port or 0)) for _ in range(20)]
        pushed = self._push(str(address.hostname), int(address.port or 0))
        grown = self.product.rss()["web"] - before
        for peer in filter(None, peers):
            peer.close()
        self.seen[f"endless body: {pushed}"] += 1
        if self.product.pid("web") == pid:
            self.took("megabytes grown", grown / 1e6)
        return True

    def _dawdle(self, host: str, port: int) -> socket.socket | None:
        with contextlib.suppress(OSError):
            peer = socket.create_connection((host, port), timeout=5)
            peer.sendall(b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            return peer
        return None

    def _push(self, host: str, port: int) -> str:
        """Send a chunked body until somebody minds; return what they said."""
        chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        try:
            with socket.create_connection((host, port), 5) as peer:
                peer.sendall(
                    b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
                    b"Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
                )
                for _ in range(ENDLESS_BYTES // len(chunk)):
                    peer.sendall(chunk)
                return f"answered {peer.recv(12).decode(errors='replace')[9:] or 'nothing'}"
        except OSError as error:
            return type(error).__name__
