"""How many jobs a second does the web process take in, next to a page that does nothing?

The clients keep their connections open. No worker runs: what is counted is the way from the
socket to a committed job, run, outbox row and line of the ledger.
"""

from functools import partial
from http import HTTPStatus
from uuid import uuid4

import orjson

from benchmarks import world
from benchmarks.clients import Answers, Ask, crowd, get, post
from benchmarks.figures import Figure, Part, percentile
from benchmarks.servers import console

STEPS = 3
# Requests of one round, by the number of clients that share them.
LOADS = {1: 160, 8: 480, 32: 640}
QUICK_LOADS = {1: 60, 8: 160, 32: 256}


def measure(*, rounds: int, quick: bool) -> Part:
    """Return submissions per second and how long one takes, at 1, 8 and 32 clients."""
    part = Part("submitting")
    submit, alive = _submission(), get("/healthz")
    with console("web") as address:
        crowd(address, submit, clients=2, requests=20, wanted=HTTPStatus.ACCEPTED)
        for clients, requests in (QUICK_LOADS if quick else LOADS).items():
            load = partial(crowd, address, clients=clients, requests=requests)
            jobs, pages = [], []
            for _ in range(rounds):
                pages.append(load(alive, wanted=HTTPStatus.OK))
                jobs.append(load(submit, wanted=HTTPStatus.ACCEPTED))
            _tell(part, f"{clients} client{'s' * (clients > 1)}", jobs, pages)
    world.end_queued()
    return part


def _submission() -> Ask:
    place = world.workspace("submitting")
    state = world.state(world.setup(place))
    body = {"workflow": world.WORKFLOW, "state": state.key, "input": world.job_input(STEPS)}
    sent, secret = orjson.dumps(body), world.token(place)

    def headers() -> dict[str, str]:
        return {
            "Authorization": f"Bearer {secret}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid4()),
        }

    return post("/api/v1/jobs", lambda: sent, headers)


def _tell(part: Part, who: str, jobs: list[Answers], pages: list[Answers]) -> None:
    alive = part.add(f"GET /healthz, {who}", "1/s", [each.per_second for each in pages])
    part.add(f"jobs submitted, {who}", "1/s", [each.per_second for each in jobs], against=alive)
    for percent in (50, 95):
        yardstick = _took(part, f"GET /healthz p{percent}, {who}", pages, percent)
        _took(part, f"jobs submitted p{percent}, {who}", jobs, percent, yardstick)
    wrong = [status for each in (*jobs, *pages) for status in each.wrong]
    if wrong:
        part.faults.append(f"{who}: {len(wrong)} answers were not as wanted, such as {wrong[0]}")


def _took(
    part: Part, name: str, rounds: list[Answers], percent: int, against: Figure | None = None
) -> Figure:
    values = [percentile(each.milliseconds, percent) for each in rounds]
    return part.add(name, "ms", values, against=against)
