"""Rights: one table says what a role may do."""

import pytest

from console.access.rights import ROLES, SCOPES, Right, allows, unknown_scopes

RIGHTS: tuple[Right, ...] = ("see", "decide", "submit", "cancel", "tokens", "administer")
TABLE = {
    #            see     decide  submit  cancel  tokens  administer
    "reviewer": (True, True, False, False, False, False),
    "admin": (True, True, False, True, True, True),
    "auditor": (True, False, False, False, False, False),
    "engineer": (True, False, True, True, True, False),
}


@pytest.mark.parametrize(
    ("role", "right", "may"),
    [
        (role, right, may)
        for role, row in TABLE.items()
        for right, may in zip(RIGHTS, row, strict=True)
    ],
)
def test_a_role_may_do_what_the_table_says(role: str, right: Right, may: bool) -> None:
    assert allows(frozenset({role}), right) is may


def test_the_table_knows_every_role() -> None:
    assert set(ROLES) == set(TABLE)


@pytest.mark.parametrize(
    ("roles", "right", "may"),
    [
        (set(), "see", False),
        ({"auditor", "engineer"}, "submit", True),
        ({"auditor", "engineer"}, "decide", False),
        ({"reviewer", "engineer"}, "decide", True),
        ({"owner"}, "see", False),
        ({"Admin"}, "administer", False),
    ],
)
def test_several_roles_add_up_and_unknown_ones_count_for_nothing(
    roles: set[str], right: Right, may: bool
) -> None:
    assert allows(frozenset(roles), right) is may


def test_no_scope_lets_a_program_decide() -> None:
    things = {"jobs", "proposals", "states", "agents"}
    known = {f"{thing}:{verb}" for thing in things for verb in ("read", "write")}
    assert set(SCOPES) == {*known, "policies:read", "traces:write"}
    assert unknown_scopes(["jobs:read", "proposals:decide", "*"]) == ["proposals:decide", "*"]
