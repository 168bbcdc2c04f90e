"""How does a payment of the demo leave the house? As a file that a bank's gateway would take.

No server is needed for it: the folder stands beside the demo's data, and nobody takes from it.
"""

import json
from dataclasses import replace
from pathlib import Path

from agents.packs.finance.declaring import ACTION_TYPES, PAYEE
from approvals.operations.registering import ActionTypeSpec

CONNECTOR, PAYS = "payments", "release_payment"
_SETTINGS = """\
# How payments of the demo leave the house; docs/connectors.md says what may stand here.
# The console writes this file once, and never over what you make of it.

[payments]
kind = "pain001"
retry_class = "keyed"
retention_seconds = 2592000
folder = FOLDER
workspaces = ["brackwater-finance"]
charges = "SHAR"
transliterate = true

[payments.debtor]
name = "Brackwater Instruments GmbH"
iban = "DE26999000420004410026"
bic = "WSRBDE3XXXX"

[payments.actions.release_payment]
creditor = "{{/creditor}}"
iban = "{{/iban}}"
bic = "{{/bic}}"
amount = "{{/amount}}"
currency = "{{/currency}}"
text = "{{/reference}}"
on = "{{/value_date}}"
"""


def settings(folder: Path) -> str:
    """Return the sender's settings, with the folder that payment files are put into."""
    return _SETTINGS.replace("FOLDER", json.dumps(str(folder), ensure_ascii=False))


def sent(spec: ActionTypeSpec) -> ActionTypeSpec:
    """Return an action type as it is where payments leave the house: what a bank asks is needed."""
    if spec.name != PAYS:
        return spec
    needed = sorted([*spec.params_schema["required"], *PAYEE])
    schema = {**spec.params_schema, "required": needed}
    return replace(spec, connector=CONNECTOR, params_schema=schema)


ACTION_TYPES_SENT: tuple[ActionTypeSpec, ...] = tuple(sent(spec) for spec in ACTION_TYPES)
