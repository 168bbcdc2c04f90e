"""FHIR: a change is made to the version that was approved, or not at all, and can be asked for."""

import json
import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from approvals.connectors.protocol import CannotBuild, Connector, NotReached, Order
from tests.approvals.connectors.servers import (
    KEY,
    NOON,
    Asked,
    Provider,
    answer,
    hang,
    loaded,
    provider,
    sent,
    soon,
)

SYSTEM = "https://acme.example/countersign"
TEXT = """
[ehr]
kind = "fhir"
retry_class = "queryable"
url = "URL/r4"
networks = ["127.0.0.0/8"]
bearer = "env:TOKEN"
system = "https://acme.example/countersign"
[ehr.actions.change]
interaction = "update"
resource = "MedicationRequest"
id = "{{/id}}"
version = "{{/version}}"
body = "{{/resource}}"
[ehr.actions.overwrite]
interaction = "update"
resource = "MedicationRequest"
id = "{{/id}}"
body = "{{/resource}}"
[ehr.actions.order]
interaction = "create"
resource = "MedicationRequest"
[ehr.actions.order.body]
resourceType = "MedicationRequest"
status = "active"
dose = "{{/dose}}"
"""
DOSE = {"resourceType": "MedicationRequest", "status": "active", "dose": 7.5}
LATER = {"last": "2026-03-02T12:00:01.5+00:00"}


class Server:
    """Keeps resources in versions, as FHIR says."""

    def __init__(self) -> None:
        self.versions: dict[str, list[dict[str, Any]]] = {"17": [self.stamped(DOSE, "17", 1)]}

    def stamped(self, resource: dict[str, Any], id_: str, version: int) -> dict[str, Any]:
        meta = {**resource.get("meta", {}), "versionId": str(version), "lastUpdated": LATER["last"]}
        return {**resource, "id": id_, "meta": meta}

    def __call__(self, connection: socket.socket, asked: Asked) -> None:
        if asked.method == "GET":
            self.read(connection, asked)
        elif asked.method == "PUT":
            self.update(connection, asked)
        else:
            self.create(connection, asked)

    def read(self, connection: socket.socket, asked: Asked) -> None:
        if asked.target.endswith("/metadata"):
            answer(200, {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"})(
                connection, asked
            )
            return
        found = re.search(r"MedicationRequest/([^/?]+)(/_history)?", asked.target)
        if found is None:
            newest = [versions[-1] for versions in self.versions.values()]
            bundle([each for each in newest if KEY in json.dumps(each)])(connection, asked)
        elif found[2]:
            bundle(self.versions[found[1]][::-1])(connection, asked)
        else:
            newest_one = self.versions[found[1]][-1]
            answer(200, newest_one, ETag=etag(newest_one))(connection, asked)

    def update(self, connection: socket.socket, asked: Asked) -> None:
        id_ = asked.target.rpartition("/")[2]
        versions = self.versions[id_]
        if asked.headers["if-match"] != etag(versions[-1]):
            answer(412, {"resourceType": "OperationOutcome"})(connection, asked)
            return
        versions.append(self.stamped(asked.json(), id_, len(versions) + 1))
        answer(200, ETag=etag(versions[-1]))(connection, asked)

    def create(self, connection: socket.socket, asked: Asked) -> None:
        assert asked.headers["if-none-exist"].endswith(f"|{KEY}")
        made = self.versions.setdefault("made", [])
        if made:
            answer(200, ETag=etag(made[-1]))(connection, asked)
            return
        made.append(self.stamped(asked.json(), "made", 1))
        place = "/r4/MedicationRequest/made/_history/1"
        answer(201, ETag=etag(made[-1]), Location=place)(connection, asked)


def etag(resource: dict[str, Any]) -> str:
    return f'W/"{resource["meta"]["versionId"]}"'


def bundle(resources: list[dict[str, Any]], following: str = "") -> Any:
    link = [{"relation": "next", "url": following}] if following else []
    entries = [{"resource": each} for each in resources]
    return answer(200, {"resourceType": "Bundle", "entry": entries, "link": link})


@pytest.fixture
def ehr() -> Iterator[Provider]:
    with provider() as kept:
        kept.behave = Server()
        yield kept


@pytest.fixture
def connector(ehr: Provider, tmp_path: Path) -> Connector:
    return loaded(tmp_path, TEXT.replace("URL", ehr.url), TOKEN="tok-4f9a-very-secret")


def change(action: str = "change", **params: Any) -> Order:
    return Order(KEY, action, {"id": "17", "version": "1", "resource": DOSE, **params}, NOON)


def test_an_update_names_the_version_that_was_approved(ehr: Provider, connector: Connector) -> None:
    found = sent(connector, change())
    assert (found.outcome, found.reference) == ("acknowledged", 'W/"2"')
    [asked] = ehr.taken
    assert (asked.method, asked.target) == ("PUT", "/r4/MedicationRequest/17")
    assert asked.headers["if-match"] == 'W/"1"'
    assert asked.headers["content-type"] == "application/fhir+json"
    said = asked.json()
    assert (said["id"], said["dose"]) == ("17", 7.5)
    assert said["meta"] == {"tag": [{"system": SYSTEM, "code": KEY}]}
    # The record has moved on. A proxy that repeats by itself hears the same of what was done.
    again = sent(connector, change())
    assert (again.outcome, again.status) == ("unknown", 412)
    assert connector.ask(change(), b"", soon()).says == "executed"


def test_a_version_that_was_not_approved_is_read_before_anything_is_sent(
    ehr: Provider, connector: Connector
) -> None:
    assert b"if-match" not in connector.build(change("overwrite"))
    line = connector.reach(change("overwrite"), soon())
    assert [asked.method for asked in ehr.taken] == ["GET"]
    assert sent(connector, change()).outcome == "acknowledged"
    # Somebody else was quicker, and of that nobody here can be sure.
    assert line.send(connector.build(change("overwrite"))).outcome == "unknown"
    line.close()
    assert sent(connector, change("overwrite")).reference == 'W/"3"'


def test_a_creation_happens_once(ehr: Provider, connector: Connector) -> None:
    what = Order(KEY, "order", {"dose": 5}, NOON)
    assert connector.ask(what, b"", soon()).says == "absent"
    first = sent(connector, what)
    assert first.reference == '/r4/MedicationRequest/made/_history/1 W/"1"'
    assert sent(connector, what).outcome == "acknowledged"
    assert len(ehr.behave.versions["made"]) == 1  # type: ignore[attr-defined]
    found = connector.ask(what, b"", soon())
    assert (found.says, found.reference) == ("executed", 'MedicationRequest/made W/"1"')
    assert ehr.taken[-1].target.endswith(
        f"?identifier=https%3A%2F%2Facme.example%2Fcountersign%7C{KEY}"
    )


def test_history_says_what_became_of_an_update(ehr: Provider, connector: Connector) -> None:
    assert connector.ask(change(), b"", soon()).says == "absent"
    sent(connector, change())
    # A later change keeps our tag, and is not ours.
    server = ehr.behave
    assert isinstance(server, Server)
    server.versions["17"].append(server.stamped(server.versions["17"][-1], "17", 3))
    found = connector.ask(change(), b"", soon())
    assert (found.says, found.reference) == ("executed", 'MedicationRequest/17 W/"2"')


def test_what_was_changed_is_listed(ehr: Provider, connector: Connector) -> None:
    sent(connector, change())
    [line] = connector.listed(NOON, NOON + timedelta(hours=1), soon())
    assert (line.key, line.reference) == (KEY, 'MedicationRequest/17 W/"2"')
    assert line.at == NOON + timedelta(seconds=1.5)
    target = ehr.taken[-1].target
    assert "_lastUpdated=ge2026-03-02T12:00:00Z&_lastUpdated=lt2026-03-02T13:00:00Z" in target


def test_pages_of_a_bundle_stay_on_their_server(ehr: Provider, connector: Connector) -> None:
    inside = bundle([], f"{ehr.url}/r4?_getpages=abc&page=2")
    ehr.behave = lambda *of: (bundle([]) if "_getpages" in of[1].target else inside)(*of)
    assert list(connector.listed(NOON, NOON, soon())) == []
    assert ehr.taken[-1].target == "/r4?_getpages=abc&page=2"
    for elsewhere in ("http://169.254.169.254/r4/x", f"{ehr.url}.evil.example/r4/x", "/r4/x"):
        ehr.behave = bundle([], elsewhere)
        with pytest.raises(NotReached, match="another server"):
            list(connector.listed(NOON, NOON, soon()))
        assert connector.ask(change(), b"", soon()).says == "unclear"
    ehr.behave = inside
    with pytest.raises(NotReached):
        list(connector.listed(NOON, NOON, soon()))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(400, "refused"), (422, "refused"), (409, "unknown"), (429, "unknown"), (500, "unknown")],
)
def test_what_a_status_means(
    ehr: Provider, connector: Connector, status: int, outcome: str
) -> None:
    ehr.behave = answer(status)
    assert sent(connector, change()).outcome == outcome


def test_silence_is_unclear_or_unknown(ehr: Provider, connector: Connector) -> None:
    ehr.behave = hang
    assert sent(connector, change(), seconds=0.4).outcome == "unknown"
    assert connector.ask(change(), b"", soon(0.4)).says == "unclear"
    with pytest.raises(NotReached):
        connector.reach(change("overwrite"), soon(0.4))
    with pytest.raises(NotReached):
        connector.test(soon(0.4))


def test_testing_reads_what_the_server_can_do(ehr: Provider, connector: Connector) -> None:
    assert connector.test(soon()).endswith("speaks FHIR 4.0.1.")
    assert ehr.taken[0].headers["authorization"].startswith("Bearer ")
    for behave in (answer(401), answer(200, {"fhirVersion": "5.0.0"}), answer(200)):
        ehr.behave = behave
        with pytest.raises(NotReached):
            connector.test(soon())


@pytest.mark.parametrize(
    "params",
    [
        {"id": "../Patient/1"},
        {"id": "17/_history"},
        {"id": ""},
        {"version": '1", W/"2'},
        {"version": "1\r\nX: y"},
        {"version": None},
        {"resource": {"resourceType": "Patient"}},
        {"resource": "MedicationRequest"},
        {"resource": {"resourceType": "MedicationRequest", "dose": 2**60}},
    ],
)
def test_an_order_that_fhir_does_not_know_is_not_built(
    connector: Connector, params: dict[str, Any]
) -> None:
    with pytest.raises(CannotBuild):
        connector.build(change(**params))
