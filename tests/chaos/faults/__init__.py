"""What is done to the product while it works: the faults of docs/reliability.md, a class each."""

from tests.chaos.faults.outside import BankMisbehaves, RequestsAreCut, SlowClients, WireMisbehaves
from tests.chaos.faults.people import (
    BadTokens,
    DoubleClick,
    GoesBack,
    SendingStops,
    StaleDecisions,
    TwoAtOnce,
)
from tests.chaos.faults.processes import (
    Poison,
    SenderDies,
    SenderSleeps,
    TimerDies,
    WebDies,
    WorkerDies,
)
from tests.chaos.faults.servers import (
    BellsRingTwice,
    BrokerForgets,
    DatabaseFalls,
    NoConnectionsLeft,
    Partition,
)
from tests.chaos.faults.stage import Fault

FAULTS: tuple[type[Fault], ...] = (
    WorkerDies,
    SenderDies,
    SenderSleeps,
    WebDies,
    TimerDies,
    DatabaseFalls,
    BrokerForgets,
    BellsRingTwice,
    Partition,
    RequestsAreCut,
    WireMisbehaves,
    SlowClients,
    DoubleClick,
    TwoAtOnce,
    GoesBack,
    StaleDecisions,
    BadTokens,
    SendingStops,
    BankMisbehaves,
    Poison,
    NoConnectionsLeft,
)
ON_THEIR_OWN = {
    "F9": "not yet: a wall clock of its own for each process needs libfaketime",
    "F12": "on its own, by root, who may mount a small disk: python -m tests.chaos.disk",
    "F19": "on its own, with a standby: python -m tests.chaos.failover sync, and async",
    "F25": "on its own, with an earlier version beside this one: python -m tests.chaos.upgrade",
}
