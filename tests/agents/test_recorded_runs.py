"""Recorded runs: read as events from any form of file, and a clear sentence for anything else."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from agents.packs.recorded_runs import BadRuns, RecordedRun, read, records, run_of, writes

CALL = {"i": 3, "kind": "call", "actor": "assistant", "tool": "get_order", "args": {"id": 1}}
ANSWER = {"i": 4, "kind": "result", "actor": "tool", "tool": "get_order", "content": "{}"}
RUN: dict[str, Any] = {
    "run_id": "house/1",
    "source": "house",
    "domain": "retail",
    "reward": 1.0,
    "termination": "user_stop",
    "gold": [{"tool": "get_order", "args": {}}],
    "steps": [
        {"i": 1, "kind": "message", "actor": "user", "content": "hello"},
        {**CALL, "call_id": "a"},
        {**ANSWER, "call_id": "a", "error": False},
    ],
}


def of(*steps: dict[str, Any], **facts: Any) -> RecordedRun:
    return run_of({**RUN, "steps": list(steps), **facts})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("runs.json", json.dumps([RUN, RUN]).encode()),
        ("runs.json.gz", gzip.compress(json.dumps([RUN, RUN]).encode())),
        ("runs.jsonl", f"{json.dumps(RUN)}\n\n{json.dumps(RUN)}\n".encode()),
        ("runs.jsonl.gz", gzip.compress(f"{json.dumps(RUN)}\n{json.dumps(RUN)}".encode())),
        ("named otherwise", json.dumps([RUN, RUN]).encode()),
    ],
)
def test_reads_every_form_the_same_way(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    found = read(tmp_path / name)
    assert found == [run_of(RUN)] * 2
    assert [(event.index, event.kind) for event in found[0].events] == [
        (1, "message"),
        (3, "call"),
        (4, "result"),
    ]
    assert found[0].succeeded
    assert found[0].calls == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[{]", "runs.json: not JSON"),
        (b'{"run_id": 1}\n{"run', "runs.json, line 2: not JSON"),
        (b"[1, 2]", "holds no list of runs, nor one run a line"),
        (b'[{"run_id": "x"}]', "x has no list of steps"),
        (b'[{"run_id": "x", "steps": [1]}]', "x has no list of steps"),
        (b"\x1f\x8b broken", "is not a whole gzip file"),
        (gzip.compress(b"[]" * 99)[:-9], "is not a whole gzip file"),
    ],
)
def test_says_what_is_wrong_with_a_bad_file(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "runs.json"
    path.write_bytes(content)
    with pytest.raises(BadRuns, match=said):
        read(path)


def test_says_that_a_file_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadRuns, match="cannot be read: No such file"):
        read(tmp_path / "none.json")


def test_reads_what_is_no_strict_json(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_bytes(b'{"cost": NaN, "n": 123456789012345678901234567890, "text": "\\ud83d"}')
    assert records(path) == [{"cost": None, "n": 1.2345678901234568e29, "text": "?"}]


@pytest.mark.parametrize(
    ("tool", "changes"),
    [
        ("cancel_pending_order", True),
        ("updateReservation", True),
        ("transfer_money", True),
        ("transfer_to_human_agents", False),
        ("get_order_details", False),
        ("list_all_orders", False),
        ("return_delivered_order_items", True),
        ("returned_items", False),
        ("think", False),
        ("", False),
    ],
)
def test_tells_writes_by_the_first_word_of_a_tool(tool: str, *, changes: bool) -> None:
    assert writes(tool) is changes


def test_takes_what_the_user_does_for_an_event_from_outside() -> None:
    run = of(
        {**CALL, "actor": "user", "tool": "check_status", "call_id": "a"},
        {**CALL, "actor": "user", "tool": "toggle_data", "call_id": "b"},
        {**CALL, "actor": "user", "tool": "toggle_data", "call_id": "c"},
        {**ANSWER, "call_id": "a"},
        {**ANSWER, "call_id": "b", "i": 9},
        {**ANSWER, "call_id": "c", "error": True},
    )
    assert [(event.index, event.kind, event.tool) for event in run.events] == [
        (9, "outside", "toggle_data")
    ]
    assert run.calls == 0


def test_pairs_calls_whose_ids_come_twice_or_not_at_all() -> None:
    for call_id in ({"call_id": "same"}, {}):
        run = of(
            {**CALL, **call_id, "i": 1},
            {**ANSWER, **call_id, "i": 2, "content": "one"},
            {**CALL, **call_id, "i": 3},
            {**ANSWER, **call_id, "i": 4, "content": "two"},
        )
        results = {event.content: event.call_id for event in run.events if event.kind == "result"}
        calls = {event.index: event.call_id for event in run.events if event.kind == "call"}
        assert results == {"one": calls[1], "two": calls[3]}


def test_tells_results_apart_that_were_cut_off_at_the_same_place() -> None:
    run = of(
        {**CALL, "call_id": "a", "i": 1},
        {**ANSWER, "call_id": "a", "content": "begins so", "content_sha1": "aa", "i": 2},
        {**CALL, "call_id": "b", "i": 3},
        {**ANSWER, "call_id": "b", "content": "begins so", "content_sha1": "bb", "i": 4},
    )
    one, other = [event.content_digest for event in run.events if event.kind == "result"]
    assert one != other


def test_is_content_with_what_a_record_has() -> None:
    steps = [{"kind": "call", "i": None}, {"kind": "result"}, {"kind": "?"}]
    run = run_of({"steps": steps})
    assert (run.name, run.reward, run.termination) == ("a run without a name", 0.0, "")
    assert [event.kind for event in run.events] == ["call", "result"]


@pytest.mark.parametrize(
    ("source", "reward", "succeeded"),
    [
        ("house", 1, True),
        ("house", 1.0, True),
        ("house", 0.5, False),
        ("house", 0, False),
        ("house", None, False),
        ("tb1-grok3-retail", 0.5, True),
        ("tb1-grok3-retail", 0, False),
    ],
)
def test_knows_a_success(source: str, reward: Any, *, succeeded: bool) -> None:
    assert of(source=source, reward=reward).succeeded is succeeded
