"""How is a run told: as JSON for a program, as one page without a script for a person?"""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem }
td { border-bottom: 1px solid #ccc }
td.n { text-align: right; font-variant-numeric: tabular-nums }
.bad { color: #a00; font-weight: 600 } .good { color: #060; font-weight: 600 }
ul { margin: 0; padding-left: 1rem } h2 { margin-top: 2rem }
"""


def machine() -> dict[str, Any]:
    """Return what this ran on."""
    return {
        "cpus": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def write(report: Mapping[str, Any], folder: Path) -> None:
    """Keep the report as `chaos.json` and `chaos.html`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chaos.json").write_text(json.dumps(report, indent=1, default=str) + "\n")
    (folder / "chaos.html").write_text(page(report))


def page(report: Mapping[str, Any]) -> str:
    """Return everything as one page."""
    count = len(report["violations"]) + len(report["wrong"])
    verdict = (
        f'<p class="bad">{count} violations</p>' if count else '<p class="good">0 violations</p>'
    )
    parts = [
        f"<h1>Chaos, seed {report['seed']}</h1>{verdict}",
        _pairs("The run", report["run"]),
        _pairs("Totals", report["totals"]),
        "<h2>Faults</h2>",
        _rows(
            ("", "Fault", "Expected", "Injected", "Seen"),
            [_fault(each) for each in report["faults"]],
        ),
        "<h2>Violations</h2>",
        _rows(
            ("What does not hold", "How often", "For example"),
            [[v["sentence"], v["count"], v["found"][:5]] for v in report["violations"]],
        ),
        _list(report["wrong"]),
        _pairs("The database brought back to a copy (F24)", report["rewind"]),
        "<h2>Not part of this run</h2>",
        _rows(("", "How"), [[*pair] for pair in report["on_their_own"].items()]),
        _pairs("What clients got", report["answers"]),
        _pairs("What people did", report["did"]),
        _pairs("How effects ended", report["executions"]),
        _pairs("How runs ended", report["runs"]),
        _pairs("Approved until sent, seconds", report["latency"]),
        _pairs("Processes that ended", report["ended"]),
        _pairs("Memory at the end, MB", report["memory"]),
        _pairs("Machine", report["machine"]),
    ]
    head = f"<meta charset=utf-8><title>Chaos {report['seed']}</title><style>{_STYLE}</style>"
    return f"<!doctype html><html lang=en>{head}{''.join(parts)}</html>\n"


def _fault(fault: Mapping[str, Any]) -> list[Any]:
    seen = [f"{what}: {n}" for what, n in fault["seen"].items()]
    worst = [f"longest {what}: {n}" for what, n in fault["worst"].items()]
    return [fault["name"], fault["title"], fault["expected"], fault["injections"], seen + worst]


def _pairs(title: str, pairs: Mapping[str, Any]) -> str:
    return f"<h2>{escape(title)}</h2>" + _rows((), [[*pair] for pair in pairs.items()])


def _rows(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>" if rows else "<p>None.</p>"


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"<td>{_list(value)}</td>"
    kind = ' class="n"' if isinstance(value, int | float) else ""
    return f"<td{kind}>{escape(str(value))}</td>"


def _list(items: Sequence[Any]) -> str:
    return f"<ul>{''.join(f'<li>{escape(str(item))}</li>' for item in items)}</ul>" if items else ""
