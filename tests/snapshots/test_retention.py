"""Retention: which snapshots keep their content, as a table that a lawyer can read."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshots.retention import WHY, Line, Needed, Policy, Verdict, Version, kept, stretch

NOW = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)
POLICY = Policy(all_for=timedelta(days=30), hourly_for=timedelta(days=365))


def at(days: float, hour: int = 12, minute: int = 0) -> datetime:
    """Return a clock time so many days ago."""
    return (NOW - timedelta(days=days)).replace(hour=hour, minute=minute)


def line(*times: datetime, **causes: str) -> list[Version]:
    """Return versions numbered from one; `n3="rollback"` gives the third its cause."""
    return [
        Version(number, causes.get(f"n{number}", "memory"), time)
        for number, time in enumerate(times, start=1)
    ]


def sort(versions: list[Version], needed: Needed | None = None, policy: Policy = POLICY) -> Verdict:
    return kept(versions, needed=needed or {}, policy=policy, now=NOW)


def busy_day(days: float) -> list[datetime]:
    """Return six times of one day: three in its 9th hour, three in its 14th."""
    return [at(days, hour, minute) for hour in (9, 14) for minute in (5, 25, 45)]


def test_a_history_that_was_brought_in_stays_whole() -> None:
    verdict = sort(line(*[at(500)] * 4, at(1), n2="import", n3="import"))
    assert verdict.stays == {1: "first", 2: "imported", 3: "imported", 4: "daily", 5: "newest"}
    assert verdict.goes == ()
    brought = line(*[at(500)] * 4, **{f"n{number}": "import" for number in range(1, 5)})
    assert sort(brought).goes == ()


class TestByAge:
    """The older, the coarser; the first and the newest always stay."""

    @pytest.mark.parametrize(
        ("age", "stays"),
        [
            (0.5, {1: "first", 2: "recent", 3: "recent", 4: "recent", 5: "recent", 6: "newest"}),
            (29, {1: "first", 2: "recent", 3: "recent", 4: "recent", 5: "recent", 6: "newest"}),
            (31, {1: "first", 3: "hourly", 6: "newest"}),
            (363, {1: "first", 3: "hourly", 6: "newest"}),
            (366, {1: "first", 6: "newest"}),
        ],
    )
    def test_one_busy_day(self, age: float, stays: dict[int, str]) -> None:
        verdict = sort(line(*busy_day(age)))
        assert verdict.stays == stays
        assert verdict.goes == tuple(n for n in range(1, 7) if n not in stays)

    def test_keeps_the_last_of_each_hour_and_each_day(self) -> None:
        times = [at(500, 1), *busy_day(400), *busy_day(399), *busy_day(40), at(1)]
        verdict = sort(line(*times))
        assert verdict.stays == {
            1: "first",
            7: "daily",
            13: "daily",
            16: "hourly",
            19: "daily",
            20: "newest",
        }
        assert len(verdict.goes) == 14

    def test_compares_an_hour_with_all_of_it_also_where_the_days_of_everything_end(self) -> None:
        # 15:30 thirty days ago is the edge: 15:10 is past it, 15:50 is not and is the last.
        edge = [at(31, 9), at(30, 15, 10), at(30, 15, 50), at(1)]
        assert sort(line(*edge)).goes == (2,)

    @pytest.mark.parametrize("all_for", [timedelta(), timedelta(hours=23)])
    def test_never_takes_the_newest_day_whatever_is_asked(self, all_for: timedelta) -> None:
        now = [NOW - timedelta(hours=23 - n / 10) for n in range(9)]
        policy = Policy(all_for, timedelta())
        assert sort(line(*now), policy=policy).goes == ()

    def test_counts_hours_by_utc(self) -> None:
        odd = [at(40, 9, 40), at(40, 10, 20), at(40, 23), at(1)]
        assert sort(line(at(41), *odd)).goes == ()

    def test_has_nothing_to_say_of_nothing(self) -> None:
        assert sort([]) == Verdict({}, ())

    def test_keeps_a_state_that_has_one_version(self) -> None:
        assert sort(line(at(900))) == Verdict({1: "newest"}, ())


OLD = [at(400, 9, minute) for minute in range(9)]


class TestForEver:
    """What somebody marked, decided on or went back to is never let go."""

    def test_would_otherwise_go(self) -> None:
        assert sort(line(*OLD)).goes == (2, 3, 4, 5, 6, 7, 8)

    @pytest.mark.parametrize("why", ["held", "named", "pinned", "decided", "open", "read"])
    def test_what_is_needed_stays_and_nothing_else(self, why: str) -> None:
        verdict = sort(line(*OLD), {4: why})
        assert verdict.stays == {1: "first", 4: why, 9: "newest"}

    def test_a_hold_on_the_whole_state_keeps_everything(self) -> None:
        verdict = sort(line(*OLD), {None: "held", 4: "named"})
        assert verdict == Verdict(dict.fromkeys(range(1, 10), "held"), ())

    def test_a_decision_stays_with_what_it_was_decided_on(self) -> None:
        verdict = sort(line(*OLD, n6="proposal"), {3: "decided"})
        assert verdict.stays == {1: "first", 3: "decided", 6: "decided", 9: "newest"}

    def test_a_rollback_stays_with_its_neighbours_and_its_target(self) -> None:
        versions = line(*OLD, n7="rollback")
        versions[6] = Version(7, "rollback", OLD[6], refers_to=3)
        assert sort(versions).stays == {
            1: "first",
            3: "referred",
            6: "rollback",
            7: "rollback",
            8: "rollback",
            9: "newest",
        }

    def test_follows_a_reference_to_a_reference(self) -> None:
        versions = line(*OLD, n4="rollback", n8="rollback")
        versions[3] = Version(4, "rollback", OLD[3], refers_to=2)
        versions[7] = Version(8, "rollback", OLD[7], refers_to=4)
        assert set(sort(versions).stays) == {1, 2, 3, 4, 5, 7, 8, 9}

    def test_a_rollback_at_either_end_has_one_neighbour(self) -> None:
        assert set(sort(line(*OLD, n9="rollback")).stays) == {1, 8, 9}

    def test_says_the_strongest_reason(self) -> None:
        assert sort(line(*OLD, n9="proposal"), {9: "pinned", 1: "named"}).stays == {
            1: "first",
            9: "newest",
        }


class TestAgain:
    """What was let go is gone: it is neither kept nor let go a second time."""

    def test_leaves_out_what_has_no_content_any_more(self) -> None:
        versions = line(*OLD)
        versions[1] = Version(2, "memory", OLD[1], is_stored=False)
        versions[2] = Version(3, "memory", OLD[2], is_stored=False)
        verdict = sort(versions)
        assert (set(verdict.stays), verdict.goes) == ({1, 9}, (4, 5, 6, 7, 8))

    @given(
        st.lists(st.integers(0, 800 * 24 * 60), min_size=1, max_size=60),
        st.lists(st.integers(0, 500), min_size=1, max_size=4),
    )
    def test_never_asks_for_what_an_earlier_sweep_let_go(
        self, minutes: list[int], pauses: list[int]
    ) -> None:
        """Sweep several times with days in between: the end is the same as one sweep at the end."""
        first = NOW - timedelta(days=800)
        times = sorted(first + timedelta(minutes=minute) for minute in minutes)
        whole = line(*times)
        versions = whole
        now = NOW
        for days in pauses:
            now += timedelta(days=days)
            gone = set(kept(versions, needed={}, policy=POLICY, now=now).goes)
            versions = [
                Version(v.number, v.cause, v.created_at, None, v.is_stored and v.number not in gone)
                for v in versions
            ]
        left = {version.number for version in versions if version.is_stored}
        assert left == set(kept(whole, needed={}, policy=POLICY, now=now).stays)

    @given(st.lists(st.integers(0, 800 * 24 * 60), max_size=60), st.integers(0, 700))
    def test_loses_and_doubles_nothing(self, minutes: list[int], hourly: int) -> None:
        times = sorted(NOW - timedelta(minutes=minute) for minute in minutes)
        policy = Policy(timedelta(days=2), timedelta(days=hourly))
        verdict = sort(line(*times), policy=policy)
        assert sorted([*verdict.stays, *verdict.goes]) == list(range(1, len(times) + 1))
        assert set(verdict.stays.values()) <= WHY.keys()


def chain(*starts: int, upto: int, weight: int = 10_000, gone: tuple[int, ...] = ()) -> list[Line]:
    """Return lines up to a number whose reading starts at each of `starts`."""
    return [
        Line(n, max(s for s in starts if s <= n), 100, weight, is_stored=n not in gone)
        for n in range(1, upto + 1)
    ]


class TestStretches:
    """What is stored anew at once begins and ends where reading starts."""

    @pytest.mark.parametrize(
        ("lines", "goes", "found"),
        [
            ([], (), None),
            (chain(1, 41, 81, upto=120), (), None),
            (chain(1, 41, 81, upto=120), (45,), (41, 80)),
            (chain(1, 41, 81, upto=120), (2,), (1, 40)),
            (chain(1, 41, 81, upto=120), (120,), (81, 120)),
            (chain(1, 41, 81, upto=120), (2, 90), (1, 120)),
            (chain(1, 41, 81, upto=120), (50, 90), (41, 120)),
        ],
    )
    def test_are_whole_chains(
        self, lines: list[Line], goes: tuple[int, ...], found: tuple[int, int] | None
    ) -> None:
        assert stretch(lines, goes) == found

    def test_take_in_a_little_chain_before_them(self) -> None:
        assert stretch(chain(1, 33, 81, upto=120), (50,)) == (1, 80)
        assert stretch(chain(1, 34, 81, upto=120), (50,)) == (34, 80)
        sparse = chain(1, 41, 81, upto=120, gone=tuple(range(2, 30)))
        assert stretch(sparse, (50,)) == (1, 80)

    def test_pass_over_what_was_let_go(self) -> None:
        lines = chain(1, 41, 81, upto=120)
        lines[49] = Line(50, 50, 0, 10_000, is_stored=False)
        assert stretch(lines, (51,)) == (41, 80)

    def test_hold_so_many_rows_and_so_many_bytes(self) -> None:
        every = [*range(1, 3_000, 50)]
        lines = chain(*every, upto=3_000)
        assert stretch(lines, range(2, 3_000, 3)) == (1, 500)
        heavy = chain(*every, upto=3_000, weight=1_000_000)
        assert stretch(heavy, range(2, 3_000, 2)) == (1, 50)
        # What goes is not written, so it weighs nothing.
        assert stretch(heavy, [n for n in range(3_000) if n % 50 != 1]) == (1, 500)

    def test_find_what_is_stored_in_an_old_form(self) -> None:
        lines = chain(1, 41, 81, upto=120)
        lines[60] = Line(61, 41, 100, 10_000, is_old=True)
        assert stretch(lines, ()) == (41, 80)
