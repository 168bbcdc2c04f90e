"""What every test of approvals leaves behind: a database in which nothing is that must never be."""

from collections.abc import Iterator

import pytest

from approvals.queries.invariants import broken


@pytest.fixture(autouse=True)
def nothing_that_must_never_be(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the file of invariants after each test that used the database."""
    if request.node.get_closest_marker("django_db") is None:
        yield
        return
    # Asked for here, so that it is taken down after the rows were looked at.
    request.getfixturevalue("db")
    yield
    if request.node.get_closest_marker("breaks_invariants") is None:
        assert broken() == []
