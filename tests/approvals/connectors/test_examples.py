"""The page about connectors: what it shows can be used as it stands."""

import re
from pathlib import Path

from approvals.connectors.settings import load
from tests.approvals.connectors.servers import certificate, order

PAGE = Path(__file__).parents[3] / "docs" / "connectors.md"
HOOK = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_every_example_is_read(tmp_path: Path) -> None:
    text = "\n".join(re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL))
    for folder in ("run/secrets", "srv/bank/out", "srv/bank/in"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "run/secrets/books").write_text("a-long-password")
    chain, _ = certificate(tmp_path)
    text = text.replace("/etc/ssl/books-ca.pem", chain)
    text = text.replace("/run/secrets", f"{tmp_path}/run/secrets")
    text = text.replace("/srv/bank", f"{tmp_path}/srv/bank")
    names = set(re.findall(r"env:(\w+)", text))
    path = tmp_path / "connectors.toml"
    path.write_text(text)
    found = load(str(path), dict.fromkeys(names, HOOK))
    kinds = {name: each.public.kind for name, each in found.items()}
    assert sorted(kinds.values()) == ["fhir", "http", "pain001", "smtp", "sql", "webhook"]
    assert found["payments"].build(order())
