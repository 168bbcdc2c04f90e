"""What may each process do with the rows of each table, and which rows are those?

One line per table; grants and policies are made of them, and a table without a line fails a test.
`read`, `add`, `change` and `remove` are SELECT, INSERT, UPDATE and DELETE, for all columns or for
those in parentheses. `lock` is to hold a row still, for which PostgreSQL asks for UPDATE on one
column of it: one that a trigger or a foreign key keeps as it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

WEB, WORKER, SENDER, AUDITOR = (
    "countersign_web",
    "countersign_worker",
    "countersign_sender",
    "countersign_auditor",
)
# What every process worked as before each had a role of its own.
FORMER = "countersign_runtime"
VERBS = {"read": "SELECT", "add": "INSERT", "change": "UPDATE", "remove": "DELETE"}
VERBS["lock"] = "UPDATE"

# Whose rows: the workspace's by a column of the table, or by the row that one refers to.
WORKSPACE = "workspace_id"
ITSELF = "id"
OF_ITS_RUN = "run_id IN (SELECT id FROM agents_run)"
OF_ITS_STATE = "state_id IN (SELECT id FROM snapshots_state)"
# Rows of the installation, or of a person in whatever workspace; each line says why.
EVERYBODYS = ""


@dataclass(frozen=True, slots=True)
class Table:
    """What the roles may do with a table.

    `rows` says whose rows a web process sees; the workers see those of the workspace that they
    work in, or all while they work in none. `web_adds` is what rows added by the web must be
    besides. What `stays` is changed and removed by nobody but the owner.
    """

    rows: str = WORKSPACE
    web: str = ""
    worker: str = ""
    sender: str = ""
    auditor: str = "read"
    web_adds: str = ""
    stays: bool = False


NOTHING = ""
# Everything of a person but what they prove themselves with.
_PERSON = "read(id email name is_active created_at last_login)"
# What the timer compares signatures with; neither a code nor a passkey's answer is among it.
_PROOF = "read(id person_id purpose method verified_at used_at)"
# How a pause ended; what the guard said stays.
_ANSWERED = "change(status reason decider raised decided_at)"
_TO_BE_DELIVERED = "read(id workspace_id url events created_at disabled_at removed_at)"

TABLES: Mapping[str, Table] = {
    # People and programs. Who belongs where is said by commands of the owner alone.
    "access_workspace": Table(ITSELF, "read lock(id)", "read lock(id)", "read lock(id)"),
    "access_membership": Table(WORKSPACE, "read", "read", "read"),
    "access_apitoken": Table(WORKSPACE, "read add change(last_used_at revoked_at)"),
    # A person is one in all workspaces, and proves so before anybody knows in which they are.
    "access_user": Table(
        EVERYBODYS, "read change(password last_login)", _PERSON, _PERSON, auditor=_PERSON
    ),
    "access_stepup": Table(EVERYBODYS, "read add change(used_at)", _PROOF),
    "access_stepupfailure": Table(EVERYBODYS, "read add remove"),
    "access_challenge": Table(EVERYBODYS, "read add change(used_at) remove"),
    "mfa_authenticator": Table(
        EVERYBODYS, "read add change(data last_used_at) remove", auditor=NOTHING
    ),
    "account_emailaddress": Table(EVERYBODYS),
    "account_emailconfirmation": Table(EVERYBODYS),
    # Attempts to sign in are about addresses that may belong to nobody.
    "axes_accessattempt": Table(EVERYBODYS, "read add change remove"),
    "axes_accessattemptexpiration": Table(EVERYBODYS, "read add change remove"),
    "axes_accessfailurelog": Table(EVERYBODYS, "read add change remove"),
    "axes_accesslog": Table(EVERYBODYS, "read add change remove"),
    # Django's own; a session belongs to a browser, and its groups and permissions are not used.
    "django_session": Table(EVERYBODYS, "read add change remove", auditor=NOTHING),
    "django_content_type": Table(EVERYBODYS, "read"),
    "auth_group": Table(EVERYBODYS),
    "auth_group_permissions": Table(EVERYBODYS),
    "auth_permission": Table(EVERYBODYS),
    "django_migrations": Table(EVERYBODYS, "read", "read", "read"),
    # A note holds a task's name and an id, and lives for a moment.
    "doorbell_ring": Table(EVERYBODYS, "add", "read add lock(id) remove", "add"),
    # What somebody may still ask for, and which part was last seen when; no word of anybody's.
    "limiting_bucket": Table(EVERYBODYS, "read add change", "read remove"),
    "pulse_beat": Table(EVERYBODYS, "read add change", "read add change", "read add change"),
    # Dependencies that fail, whoever called them.
    "breakers_breaker": Table(EVERYBODYS, "read add change", "read add change", "read add change"),
    # The record.
    "ledger_chain": Table(
        WORKSPACE,
        "read add change(seq digest)",
        "read add change(seq digest)",
        "read add change(seq digest)",
    ),
    "ledger_entry": Table(WORKSPACE, "read add", "read add", "read add", stays=True),
    "ledger_checkpoint": Table(WORKSPACE, "read", "read add", "read", stays=True),
    # Who is told of what. Only the courier, who is a worker, signs with a webhook's secret.
    "notices_event": Table(WORKSPACE, "read add", "read add remove", "read add"),
    "notices_preference": Table(WORKSPACE, "read add change", "read", "read"),
    "notices_notice": Table(WORKSPACE, "read add change(how)", "read add change remove", "add"),
    "notices_mail": Table(WORKSPACE, "read", "read add change remove"),
    "notices_webhook": Table(
        WORKSPACE, "read add change", "read change", _TO_BE_DELIVERED, auditor=_TO_BE_DELIVERED
    ),
    "notices_delivery": Table(WORKSPACE, "read add change", "read add change remove", "add"),
    # States. How a snapshot is stored may change, which retention does; a part is only held.
    "snapshots_state": Table(WORKSPACE, "read add change", "read add change", "read change"),
    "snapshots_snapshot": Table(
        WORKSPACE, "read add", "read add change(codec base_number data)", "read add"
    ),
    "snapshots_part": Table(
        WORKSPACE,
        "read add lock(created_at)",
        "read add lock(created_at) remove",
        "read add lock(created_at)",
    ),
    "snapshots_mark": Table(WORKSPACE, "read add change(removed_at removed_by)", "read add", ""),
    "snapshots_reading": Table(WORKSPACE, "read add remove", "read add remove", "read"),
    # Proposals. Only people decide, so only the web writes what people said. The sender words anew
    # what can no longer be carried out as it was decided on, and gives it back to people.
    "approvals_actiontype": Table(WORKSPACE, "read add change", "read add change", "read"),
    "approvals_proposal": Table(WORKSPACE, "read add change", "read add change", "read change"),
    "approvals_revision": Table(WORKSPACE, "read add", "read add", "read add", stays=True),
    "approvals_evidence": Table(WORKSPACE, "read add", "read add", "read", stays=True),
    "approvals_verdict": Table(WORKSPACE, "read add", "read add", "read add", stays=True),
    "approvals_decision": Table(WORKSPACE, "read add", "read", "read", stays=True),
    "approvals_signature": Table(WORKSPACE, "read add", "read", "read", stays=True),
    "approvals_breakglass": Table(WORKSPACE, "read add", "read", "read", stays=True),
    "approvals_comment": Table(WORKSPACE, "read add", "read", "", stays=True),
    "approvals_inforequest": Table(WORKSPACE, "read add change", "read change", "read change"),
    "approvals_viewing": Table(WORKSPACE, "read add change", "read", ""),
    "approvals_snooze": Table(WORKSPACE, "read add change remove", "read remove", "read remove"),
    "approvals_authoritylimit": Table(WORKSPACE, "read add change(revoked_at)", "read", "read"),
    "approvals_delegation": Table(WORKSPACE, "read add change(revoked_at)", "read", "read"),
    "approvals_canary": Table(WORKSPACE, "read change", "read add change", ""),
    "approvals_bucket": Table(
        WORKSPACE, "read add lock(id)", "read add lock(id)", "read add lock(id)"
    ),
    "approvals_exposure": Table(WORKSPACE, "read add change", "read add change", "read add change"),
    # What was carried out. Only the sender says that something was sent, and what came back.
    "approvals_execution": Table(WORKSPACE, "read add change", "read add change", "read change"),
    "approvals_review": Table(WORKSPACE, "read add change", "read add", "read"),
    "approvals_connector": Table(
        WORKSPACE, "read change(test_asked_at compare_asked_at)", "read", "read add change"
    ),
    "approvals_attempt": Table(
        WORKSPACE,
        "read",
        "read",
        "read add change(outcome answer_status answer reference ended_at)",
    ),
    "approvals_observation": Table(
        WORKSPACE, "read add", "read", "read add", web_adds="source = 'person'", stays=True
    ),
    "approvals_resolution": Table(WORKSPACE, "read add", "read", "read", stays=True),
    "approvals_compensation": Table(WORKSPACE, "read add change", "read add change", "read"),
    "approvals_sendswitch": Table(
        WORKSPACE, "read add change", "read add lock(workspace_id)", "read add lock(workspace_id)"
    ),
    "approvals_reconciliation": Table(WORKSPACE, "read", "read", "read add change"),
    "approvals_discrepancy": Table(
        WORKSPACE, "read change(closed_at closed_by_id note)", "read", "read add change"
    ),
    # Runs. Their journals are written by whoever works; a worker's steps are not looked up twice.
    "agents_job": Table(
        WORKSPACE, "read add change(current_run_id)", "read change(current_run_id)", "read"
    ),
    "agents_run": Table(WORKSPACE, "read add change", "read add change", "read change"),
    # The web writes down what is brought in of runs elsewhere, and not a line of a run of ours.
    "agents_step": Table(
        OF_ITS_RUN,
        "read add",
        "read add",
        "",
        web_adds="run_id IN (SELECT id FROM agents_run WHERE source <> '')",
        stays=True,
    ),
    "agents_agent": Table(WORKSPACE, "read add change", "read add change", "read"),
    "agents_participation": Table(OF_ITS_RUN, "read", "read add", ""),
    "agents_halt": Table(WORKSPACE, "read add change(lifted_at lifted_by)", "read", "read"),
    "agents_restoration": Table(WORKSPACE, "read add change", "read add change", "read"),
    "agents_pause": Table(WORKSPACE, f"read {_ANSWERED}", f"read add {_ANSWERED}", "read"),
    "agents_workflowsetting": Table(WORKSPACE, "read add change", "read", ""),
    "agents_workspacebudget": Table(WORKSPACE, "read add change remove", "read", ""),
    # Submitting counts runs; what they use is counted by whoever works.
    "agents_usage": Table(WORKSPACE, "read add change(runs)", "read add change", ""),
    "agents_roletime": Table(WORKSPACE, "read", "read add remove", ""),
    "agents_draft": Table(OF_ITS_RUN, "read", "read add change remove", ""),
    "agents_memoryuse": Table(OF_ITS_STATE, "read", "read add change remove", ""),
    "agents_drift": Table(WORKSPACE, "read", "read add", "", stays=True),
    "agents_driftlimit": Table(WORKSPACE, "read add change remove", "read", ""),
}

_WORD = re.compile(r"(\w+)(?:\(([^)]*)\))?")


def privileges(words: str) -> list[str]:
    """Return what GRANT calls these words: `SELECT`, or `UPDATE (used_at)`."""
    return [
        f"{VERBS[verb]} ({', '.join(columns.split())})" if columns else VERBS[verb]
        for verb, columns in _WORD.findall(words)
    ]


def of_role(table: Table) -> dict[str, str]:
    """Return what each role may do with a table, in words."""
    return {WEB: table.web, WORKER: table.worker, SENDER: table.sender, AUDITOR: table.auditor}
