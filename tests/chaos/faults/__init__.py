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
NOT_RUN = {
    "F9": "a wall clock of its own for each process needs libfaketime, which is no part of this",
    "F12": "a full disk needs a mount of its own; tests/system/test_storage_faults.py has it",
    "F19": "a synchronous standby is PostgreSQL's promise; what another one loses is F24, below",
    "F25": "an old web process beside new workers is for the release that has an old one",
}
