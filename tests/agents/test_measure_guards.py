"""Measuring guards: the figures on real runs, each beside its yardstick, and what is refused."""

import gzip
import json
from contextlib import nullcontext
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from agents.guards import settled
from agents.packs.attacks import Attacks, Case
from agents.packs.measuring import attribution, breakers
from agents.packs.recorded_runs import run_of
from console.management import attacking
from console.management.commands import measure_guards as command
from console.supervision import supervisor

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the folder ../shared/data is not here")
on_data = [pytest.mark.data, needs_data]
PARTS = ("breakers", "attribution", "critic", "injection", "context")


def measured(path: Path) -> dict[str, Any]:
    out = StringIO()
    call_command("measure_guards", path, "--json", stdout=out, stderr=StringIO())
    [line] = out.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    assert tuple(found) == PARTS
    return found


def printed(path: Path) -> str:
    out = StringIO()
    call_command("measure_guards", path, stdout=out, stderr=StringIO())
    return out.getvalue()


def run(
    tools: list[tuple[str, Any]], *, reward: int = 1, termination: str = "user_stop"
) -> dict[str, Any]:
    steps: list[dict[str, Any]] = []
    for n, (tool, args) in enumerate(tools):
        call = {"call_id": str(n), "tool": tool}
        steps.append({"i": 2 * n, "kind": "call", "actor": "assistant", "args": args, **call})
        steps.append({"i": 2 * n + 1, "kind": "result", "content": json.dumps([n]), **call})
    return {"run_id": "r", "reward": reward, "termination": termination, "steps": steps}


def looped(times: int, **facts: Any) -> dict[str, Any]:
    found = run([("get_order", {"id": 1})] * times, **facts)
    for step in found["steps"]:
        if step["kind"] == "result":
            step["content"] = "same"
    return found


READS = [("get_order", {"id": n}) for n in range(4)]


class TestOnRealRuns:
    pytestmark = on_data

    def test_stops_every_runaway_and_harms_no_success(self) -> None:
        found = measured(DATA / "breaker")
        assert {part for part in PARTS if found[part]} == {"breakers", "context"}
        of_runs = found["breakers"]
        each = of_runs.pop("each")
        assert of_runs == {
            "runaways": 5,
            "runaways_stopped": 5,
            "successes": 29,
            "successes_terminated": 0,
            "successes_paused": 0,
            "successes_nudged": 2,
            "plain_rule": {
                "runaways": 5,
                "runaways_stopped": 5,
                "successes": 29,
                "successes_terminated": 18,
                "successes_paused": 0,
                "successes_nudged": 0,
            },
        }
        assert [(run["stopped_at_call"], run["calls"], run["rule"]) for run in each] == [
            (6, 97, "identical_call"),
            (9, 70, "identical_call"),
            (4, 100, "identical_call"),
            (25, 93, "nothing_new"),
            (41, 51, "calls"),
        ]

    def test_prunes_what_fills_the_windows(self) -> None:
        found = measured(DATA / "breaker" / "runs.json")["context"]
        assert found["runs"] == 61
        assert found["bytes_after"] < found["bytes_before"]
        assert found["repeats_removed_share"] == 0.866
        assert found["failed_removed_share"] == 0.678

    def test_names_the_steps_in_which_failures_began(self) -> None:
        found = measured(DATA / "attribution")["attribution"]
        assert [found[name] for name in ("runs", "exact", "within_1", "within_3", "in_top_3")] == [
            8,
            7,
            7,
            7,
            7,
        ]
        assert found["baselines"] == {
            "first_write": {"exact": 1, "within_1": 1, "within_3": 2},
            "first_error": {"exact": 0, "within_1": 0, "within_3": 0},
        }

    def test_says_how_often_the_critic_is_right_beside_the_base_rate(self) -> None:
        found = measured(DATA / "proposals")["critic"]
        named = ("proposals", "wrong", "base_rate", "flagged", "precision", "recall")
        assert [found[name] for name in named] == [99, 35, 0.354, 9, 0.444, 0.114]
        assert found["all"]["base_rate"] == 0.467

    def test_prints_tables(self) -> None:
        said = printed(DATA / "breaker")
        assert "Runaways stopped             5 of 5 100.0%   5 of 5 100.0%" in said
        assert "call 4 of 100, identical_call, pause        t2-gptoss120b-airline/27/0" in said
        assert "First write" in printed(DATA / "attribution")
        assert "precision  44.4%   recall  11.4%" in printed(DATA / "proposals")

    @pytest.mark.parametrize("packed", [False, True])
    def test_says_the_same_of_one_run_a_line(self, tmp_path: Path, *, packed: bool) -> None:
        whole = json.loads((DATA / "breaker" / "runs.json").read_bytes())
        lines = "\n".join(json.dumps(each) for each in whole).encode()
        path = tmp_path / ("runs.jsonl.gz" if packed else "runs.jsonl")
        path.write_bytes(gzip.compress(lines) if packed else lines)
        assert measured(path) == measured(DATA / "breaker")

    def test_plays_attacks_in_a_workspace_of_their_own_and_adds_them_up(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = []

        def play(found: Attacks, cases: list[Case], address: str) -> list[dict[str, Any]]:
            assert address == "http://console.invalid"
            names.append(found.name)
            line = {"held": True, "forbidden_proposed": 2, "forbidden_executed": 0}
            lines = [{**line, "origin_shown": "subject: read_file"} for _ in cases]
            return [*lines[1:], {**line, "held": False, "origin_shown": ""}]

        monkeypatch.setattr(supervisor, "running", lambda *_: nullcontext("http://console.invalid"))
        monkeypatch.setattr(attacking, "play", play)
        found = measured(DATA / "injection")["injection"]
        assert found == {
            "cases": 15,
            "played": 15,
            "held": 14,
            "forbidden_proposed": 30,
            "forbidden_executed": 0,
            "origin_shown": 14,
            "not_played_because": "",
        }
        measured(DATA / "injection")
        assert len({*names}) == 2

    def test_says_so_where_no_console_can_play_the_attacks(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any) -> None:
            raise supervisor.StartFailed("the web server said nothing")

        monkeypatch.setattr(supervisor, "running", refuse)
        found = measured(DATA / "injection")["injection"]
        assert (found["cases"], found["played"], found["held"]) == (15, 0, 0)
        assert found["not_played_because"].endswith("the web server said nothing")
        assert "0 of 15 attacks played" in printed(DATA / "injection")


def test_measures_a_folder_with_parts(tmp_path: Path) -> None:
    (tmp_path / "breaker").mkdir()
    (tmp_path / "breaker" / "some.json").write_text(json.dumps([run(READS)]))
    (tmp_path / "else.json").write_text("not looked at")
    found = measured(tmp_path)
    assert found["breakers"]["successes"] == 1
    assert [found[part] for part in ("attribution", "critic", "injection")] == [None] * 3


def test_counts_what_the_plain_rule_would_have_done() -> None:
    found = breakers.measure([run_of(run(READS)), run_of(run(READS[:3]))])
    assert found["successes_terminated"] == 0
    assert found["plain_rule"]["successes_terminated"] == 1


@pytest.mark.parametrize(
    ("record", "is_runaway"),
    [
        (looped(3, reward=0, termination="max_steps"), True),
        (looped(3, reward=0, termination="too_many_errors"), True),
        (looped(3, reward=0), False),
        (looped(41, reward=0), True),
        (looped(40, reward=0), False),
    ],
)
def test_knows_a_runaway(record: dict[str, Any], *, is_runaway: bool) -> None:
    assert breakers.is_runaway(run_of(record)) is is_runaway


@pytest.mark.parametrize(
    ("calls", "stopped_at"),
    [(2, None), (3, 3), (9, 3)],
)
def test_a_run_is_stopped_before_its_last_call_or_not_at_all(
    calls: int, stopped_at: int | None
) -> None:
    record = looped(calls, reward=0, termination="max_steps")
    found = breakers.measure([run_of(record)])
    assert found["runaways_stopped"] == (stopped_at is not None)
    assert found["each"][0]["stopped_at_call"] == stopped_at


def test_a_verdict_after_the_last_call_stops_nothing() -> None:
    record = run([("get_order", {"id": n}) for n in range(3)], reward=0, termination="max_steps")
    for step in record["steps"]:
        step["error"] = step["kind"] == "result"
    halt = breakers.watched(run_of(record).events)
    assert (halt.rule, halt.call) == ("errors_in_a_row", 4)
    assert breakers.measure([run_of(record)])["runaways_stopped"] == 0


@pytest.mark.parametrize(("answers", "stopped"), [(31, 0), (32, 1)])
def test_a_run_is_stopped_in_the_middle_of_its_talk(answers: int, stopped: int) -> None:
    record = run([("get_order", {"id": 1})], reward=0, termination="max_steps")
    said = {"kind": "message", "actor": "assistant", "content": "I am still here."}
    record["steps"] += [{"i": 100 + n, **said} for n in range(answers)]
    found = breakers.measure([run_of(record)])
    assert (found["runaways_stopped"], found["each"][0]["rule"]) == (stopped, "talk")


def test_shows_what_another_limit_would_cost() -> None:
    runs = [run_of(run(READS))]
    found = breakers.measure(runs, settled({"reads_of_one_tool": {"limit": 3}}))
    assert (found["successes_paused"], found["successes_terminated"]) == (1, 0)


def test_judges_the_step_that_people_named_as_the_root() -> None:
    record = {
        "label": {
            "trajectory_id": 7,
            "failures": [
                {"failure_id": 1, "step_number": 2},
                {"failure_id": 2, "step_number": 4},
            ],
            "root_cause": {"failure_id": 2},
        },
        "traj": [
            {"role": "user", "content": "How many?", "index": 2},
            {
                "role": "assistant",
                "content": None,
                "index": 3,
                "tool_calls": [{"id": "a", "function": {"name": "count", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "a", "content": "[7]", "index": 4},
            {"role": "assistant", "content": "There are 44.", "index": 5},
        ],
    }
    [judged] = attribution.read([record])
    found = attribution.measure([judged])
    assert judged.root == 4
    assert [found[name] for name in ("exact", "within_1", "within_3", "in_top_3")] == [0, 1, 1, 0]
    assert found["each"][0]["suspects"][0]["step"] == 5


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("runs.json", "[1]", "holds no list of runs"),
        ("runs.json", '[{"a": 1}]', "no record has steps, proposals or a label"),
        ("runs.json", '[{"label": {}}]', "A judged run lacks something"),
        ("runs.json", '[{"proposals": [{}]}]', "A proposal lacks something"),
        ("runs.json", '{"attack_cases": []}', "is not a file of attacks"),
        ("notes.txt", "hello", "not JSON"),
    ],
)
def test_refuses_what_cannot_be_measured(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(CommandError, match=said):
        call_command("measure_guards", tmp_path / name, stdout=StringIO())


def test_refuses_a_folder_without_runs(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="holds nothing that can be measured"):
        call_command("measure_guards", tmp_path)
    with pytest.raises(CommandError, match="does not exist"):
        call_command("measure_guards", tmp_path / "none")


def test_says_of_a_runaway_that_nothing_stopped_it() -> None:
    record = run_of(looped(2, reward=0, termination="max_steps"))
    found = {**dict.fromkeys(PARTS), "breakers": breakers.measure([record])}
    assert any("not stopped" in line for line in command.told(found))
