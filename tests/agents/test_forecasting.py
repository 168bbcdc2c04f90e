"""Forecasting: what is left to do is foretold from what was done, and cut only if it must be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.declarations import Role, Team
from agents.forecasting import ENOUGH, Forecast, ahead, objection, of_chain, of_turns

TEN = [float(n) for n in range(1, 11)]
SLOW = [40.0] * 5
HISTORY = {"clerk": TEN, "scout": SLOW, "critic": [25.0] * 20, "solo": [12.0] * 6, "new": [90.0]}


@pytest.mark.parametrize(
    ("turns", "found"),
    [
        ([], None),
        ([5.0] * (ENOUGH - 1), None),
        ([5.0] * ENOUGH, Forecast(5, 5)),
        ([9.0, 1.0, 5.0, 7.0, 3.0], Forecast(5, 9)),
        (TEN, Forecast(5, 10)),
        ([1.0] * 19 + [100.0], Forecast(1, 1)),
        ([1.0] * 18 + [100.0] * 2, Forecast(1, 100)),
    ],
)
def test_takes_the_nearest_turn_that_was_really_taken(
    turns: list[float], found: Forecast | None
) -> None:
    assert of_turns(turns) == found


def test_adds_up_what_comes_one_after_the_other() -> None:
    assert of_chain(["clerk", "scout", "clerk", "new", "nobody"], HISTORY) == Forecast(50, 60)


@pytest.mark.parametrize(
    ("agents", "left", "said"),
    [
        (["clerk"], None, None),
        (["clerk"], 10.0, None),
        (["clerk"], 9.9, "clerk: usually 5 s, up to 10 s; 9.9 s are left."),
        (
            ["scout", "clerk", "scout"],
            12.0,
            "scout, clerk: usually 85 s, up to 90 s; 12 s are left.",
        ),
        (["scout"], -3.0, "scout: usually 40 s, up to 40 s; 0 s are left."),
        (["new", "nobody"], 0.0, None),
        ([], 0.0, None),
    ],
)
def test_objects_in_one_sentence(agents: list[str], left: float | None, said: str | None) -> None:
    assert objection(agents, HISTORY, left) == said


TEAM = Team(
    coordinator=Role("lead", "Leads.", ""),
    specialists=(
        Role("scout", "Looks.", "", optional=True),
        Role("clerk", "Writes.", ""),
        Role("payer", "Pays.", ""),
    ),
    critic=Role("critic", "Doubts.", "", optional=True),
    alone=Role("solo", "Does it all.", ""),
)


@pytest.mark.parametrize(
    ("agent", "asked", "chain"),
    [
        ("lead", set(), ("lead", "clerk", "payer")),
        ("scout", set(), ("scout", "clerk", "payer")),
        ("scout", {"clerk"}, ("scout", "payer")),
        ("critic", {"clerk", "payer"}, ("critic",)),
        ("clerk", set(), ("clerk",)),
        ("solo", set(), ("solo",)),
        ("stranger", set(), ("stranger",)),
    ],
)
def test_leaves_room_for_those_who_must_still_work(
    agent: str, asked: set[str], chain: tuple[str, ...]
) -> None:
    assert ahead(agent, TEAM, asked) == chain
    assert ahead(agent, None, asked) == (agent,)


AGENTS = ("lead", "scout", "clerk", "payer", "critic", "solo")
seconds = st.floats(0, 500, allow_nan=False)
histories = st.dictionaries(st.sampled_from(AGENTS), st.lists(seconds, max_size=30))
chains = st.lists(st.sampled_from(AGENTS), max_size=8)


@given(chains, histories, seconds, seconds)
def test_never_objects_with_more_time_to_what_had_time_before(
    chain: list[str], history: dict[str, list[float]], left: float, more: float
) -> None:
    if objection(chain, history, left) is None:
        assert objection(chain, history, left + more) is None


@given(chains, seconds)
def test_cuts_nothing_without_a_history(chain: list[str], left: float) -> None:
    assert objection(chain, {}, left) is None


@given(chains, histories)
def test_cuts_nothing_without_a_budget(chain: list[str], history: dict[str, list[float]]) -> None:
    assert objection(chain, history, None) is None


@given(chains, histories)
def test_cuts_nothing_where_300_seconds_are_nearly_always_enough(
    chain: list[str], history: dict[str, list[float]]
) -> None:
    if of_chain(chain, history).p95 <= 300:
        assert objection(chain, history, 300.0) is None


@given(histories, seconds)
def test_a_team_is_given_up_only_when_it_is_too_late_without_the_optional_ones(
    history: dict[str, list[float]], left: float
) -> None:
    together = objection(ahead("lead", TEAM, set()), history, left)
    if together is not None:
        assert of_chain(["lead", "clerk", "payer"], history).p95 > left
    elif objection(["scout"], history, left) is not None:
        assert objection(ahead("scout", TEAM, set()), history, left) is not None


@given(st.lists(seconds, min_size=ENOUGH, max_size=60), seconds)
def test_a_slower_turn_never_makes_a_forecast_shorter(turns: list[float], more: float) -> None:
    before, after = of_turns(turns), of_turns([*turns[1:], turns[0] + more])
    assert before is not None
    assert after is not None
    assert before.p50 <= before.p95
    assert (before.p50 <= after.p50, before.p95 <= after.p95) == (True, True)
