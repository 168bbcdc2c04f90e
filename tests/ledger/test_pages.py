"""The ledger's page: who did what, and can it be proved?"""

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from tests.house import House


def test_shows_who_did_what_newest_first(house: House) -> None:
    house.decide("ana", house.propose("set_note"), reason="Call-back ok.")
    html = house.client("cleo").get(house.url("ledger")).content.decode()
    places = [
        html.index(f"<summary>{verb}</summary>")
        for verb in ("execution succeeded", "proposal made")
    ]
    assert places == sorted(places)
    assert "Call-back ok." in html
    assert "Ana" in html


def test_finds_one_subject_and_keeps_to_it(house: House) -> None:
    wanted, other = house.propose("set_note"), house.propose("set_note", note="other")
    html = house.client("cleo").get(house.url("ledger"), {"subject": f"proposal:{wanted}"})
    assert house.url("proposals", wanted) in html.content.decode()
    assert str(other) not in html.content.decode()


def test_says_when_a_subject_has_no_lines(house: House) -> None:
    html = house.client("cleo").get(house.url("ledger"), {"subject": "proposal:\x00'\"<b>"})
    assert "Nothing was done to this subject" in html.content.decode()


def test_turns_pages_back_to_the_first_line(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.ledger.showing.PAGE_SIZE", 3)
    browser, seen, address, html = house.client("cleo"), 0, house.url("ledger"), ""
    while address:
        html = browser.get(address).content.decode()
        seen += html.count('<tr id="entry-')
        after = html.partition('href="?cursor=')[2].partition('"')[0]
        address = f"{house.url('ledger')}?cursor={after}" if after else ""
    assert 'id="entry-1"' in html
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM ledger_entry WHERE workspace_id = %s", [house.workspace.id]
        )
        assert cursor.fetchone() == (seen,)


def test_says_that_the_chain_holds_and_where_it_breaks(house: House) -> None:
    browser = house.client("cleo")
    whole = browser.get(house.url("ledger"), {"verify": "1"}).content.decode()
    assert "The chain holds" in whole
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE ledger_entry DISABLE TRIGGER USER")
        cursor.execute("UPDATE ledger_entry SET verb = 'nothing.happened' WHERE seq = 4")
        cursor.execute("ALTER TABLE ledger_entry ENABLE TRIGGER USER")
    answer = browser.get(
        house.url("ledger"), {"verify": "1"}, headers={"HX-Request": "true"}
    ).content.decode()
    assert answer.lstrip().startswith('<div id="verdict"')
    assert "The chain is broken: entry 4 was altered" in answer


def test_costs_as_many_queries_for_many_lines_as_for_few(
    house: House, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    browser = house.client("cleo")
    house.propose("set_note")
    browser.get(house.url("ledger"))
    with django_assert_num_queries(10):
        browser.get(house.url("ledger"))
    for number in range(20):
        house.propose("set_note", note=str(number))
    with django_assert_num_queries(10):
        browser.get(house.url("ledger"))


def test_is_not_there_for_another_workspace(house: House, elsewhere: House) -> None:
    assert elsewhere.client("zoe").get(house.url("ledger")).status_code == 404
    theirs = f"proposal:{elsewhere.propose()}"
    html = house.client("cleo").get(house.url("ledger"), {"subject": theirs}).content.decode()
    assert "Nothing was done to this subject" in html
