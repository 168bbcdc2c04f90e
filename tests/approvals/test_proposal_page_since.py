"""What a reader is told when the world, the wording or the rules moved since they looked."""

import pytest

from approvals.operations.rebasing import rebase
from snapshots.diff import Change
from snapshots.operations.observing import observe
from snapshots.queries import head
from tests.approvals.deciders import HTMX, ask_for
from tests.approvals.test_pages import main_of, page
from tests.house import OLD_IBAN, House, now

pytestmark = pytest.mark.django_db
OTHER_IBAN = "DE02120300000000202051"


def outside(house: House, path: str, old: object, value: object) -> None:
    """Let an import change one value of the record."""
    change = Change("replace", path, old=old, value=value)  # type: ignore[arg-type]
    number = head(house.workspace.id, house.book.state_id).number
    observe(
        actor=house.setup,
        state_id=house.book.state_id,
        changes=[change],
        cause_id=f"outside-{number}",
        reason="import",
        now=now(),
    )


class TestThirdColumn:
    """Where the record says something else by now, that stands beside both sides."""

    def test_shows_what_stands_there_now(self, house: House) -> None:
        proposal = house.propose()
        outside(house, "/V-1/iban", OLD_IBAN, OTHER_IBAN)
        html = main_of(page(house.client("ana"), house.url("proposals", proposal)))
        table = html.partition('id="diff"')[2].partition("</table>")[0]
        assert ">Now</th>" in table
        assert "value--now" in table
        assert ">DE02<" in table
        assert "Record changed since proposed" in html
        assert 'name="choice"' not in html
        assert "Load the new diff" in html

    def test_says_so_when_it_is_gone(self, house: House) -> None:
        proposal = house.propose()
        gone = Change("remove", "/V-1/iban", old=OLD_IBAN)
        observe(
            actor=house.setup,
            state_id=house.book.state_id,
            changes=[gone],
            cause_id="gone",
            reason="import",
            now=now(),
        )
        html = page(house.client("ana"), house.url("proposals", proposal))
        assert "no longer there" in html

    def test_has_no_column_for_what_moved_elsewhere(self, house: House) -> None:
        proposal = house.propose()
        house.move_the_world()
        html = page(house.client("ana"), house.url("proposals", proposal))
        assert ">Now</th>" not in html
        assert "1 other value of the record changed, too; this would not touch it" in html

    def test_follows_the_push_too(self, house: House) -> None:
        proposal = house.propose()
        form = house.form(proposal)
        outside(house, "/V-1/iban", OLD_IBAN, OTHER_IBAN)
        answer = house.client("ana").post(
            house.url("proposals", proposal, "decide"), form, headers=HTMX
        )
        assert answer.status_code == 412
        assert "value--now" in answer.content.decode()


class TestSince:
    """On return a reader sees what is different, and the rest when they ask."""

    def test_shows_what_differs_and_folds_what_they_have_seen(self, house: House) -> None:
        proposal, browser = house.propose(), house.client("ana")
        assert "What changed since you looked" not in page(
            browser, house.url("proposals", proposal)
        )
        outside(house, "/V-1/iban", OLD_IBAN, OTHER_IBAN)
        rebase(actor=house.setup, proposal_id=proposal, now=now())
        html = page(browser, house.url("proposals", proposal))
        panel = html.partition('id="since"')[2].partition("</section>")[0]
        assert "from revision 1 to 2" in panel
        assert "what stands there is another value now; what is proposed is the same" in panel
        assert ">DE89<" in panel
        assert ">DE02<" in panel
        assert ">LT12<" not in panel
        again = page(browser, house.url("proposals", proposal))
        assert "What changed since you looked" not in again

    def test_says_so_when_it_says_the_same(self, house: House) -> None:
        proposal, browser = house.propose(), house.client("ana")
        page(browser, house.url("proposals", proposal))
        house.move_the_world()
        rebase(actor=house.setup, proposal_id=proposal, now=now())
        html = page(browser, house.url("proposals", proposal))
        assert "says the same about another base" in html
        assert "Show 1 value that is as you saw it" in html

    def test_names_checks_that_say_something_else(self, house: House) -> None:
        proposal, browser = house.propose(), house.client("ana")
        page(browser, house.url("proposals", proposal))
        outside(house, "/V-1/iban", OLD_IBAN, "LT601010012345678901")
        rebase(actor=house.setup, proposal_id=proposal, now=now())
        panel = page(browser, house.url("proposals", proposal)).partition('id="since"')[2]
        assert "The account moves from LT to LT." in panel.partition("</section>")[0]
        assert "failed before" in panel.partition("</section>")[0]

    def test_names_rules_that_ask_for_something_else(self, house: House) -> None:
        proposal, browser = house.propose(), house.client("ana")
        page(browser, house.url("proposals", proposal))
        ask_for(house, level=2, approvals=3)
        answer = browser.post(house.url("proposals", proposal, "rebase"), {"revision": 1})
        assert answer.status_code == 302
        html = page(browser, house.url("proposals", proposal))
        panel = html.partition('id="since"')[2].partition("</section>")[0]
        assert "The policy changed: For this test." in panel
        assert "3 people" in panel


class TestTicks:
    """A tick stands for what it was put on, and for nothing else."""

    def test_come_along_where_the_check_says_the_same(self, house: House) -> None:
        proposal, browser = house.propose(), house.client("ana")
        form = house.form(proposal)
        house.move_the_world()
        browser.post(house.url("proposals", proposal, "rebase"), form)
        html = page(browser, house.url("proposals", proposal))
        assert 'name="ticked" value="Country stays" checked' in html
        assert 'id="cleared"' not in html

    def test_clear_themselves_where_it_says_something_else(self, house: House) -> None:
        proposal, browser = house.propose(), house.client("ana")
        form = house.form(proposal)
        outside(house, "/V-1/iban", OLD_IBAN, "FR7630006000011234567890189")
        browser.post(house.url("proposals", proposal, "rebase"), form)
        html = page(browser, house.url("proposals", proposal))
        assert 'value="Country stays" >' in html
        assert "1 tick of yours was cleared" in html

    def test_on_a_row_goes_with_its_value(self, house: House) -> None:
        proposal, browser = house.propose(), house.client("ana")
        html = page(browser, house.url("proposals", proposal))
        mark = html.partition('name="rows" value="')[2].partition('"')[0]
        assert len(mark) == 16
        house.move_the_world()
        browser.post(house.url("proposals", proposal, "rebase"), {"revision": 1, "rows": [mark]})
        assert f'value="{mark}" form="decide" checked' in page(
            browser, house.url("proposals", proposal)
        )
        outside(house, "/V-1/iban", OLD_IBAN, OTHER_IBAN)
        browser.post(house.url("proposals", proposal, "rebase"), {"revision": 2, "rows": [mark]})
        assert "checked" not in page(browser, house.url("proposals", proposal)).partition(
            'id="diff"'
        )[2].partition("</table>")[0].replace(">Checked<", "")


class TestUnderTheForm:
    """Who has the form open learns at once what moved under it."""

    def test_shows_what_changed_with_the_refusal(self, house: House) -> None:
        proposal = house.propose()
        form = house.form(proposal, reason="Looked at length.")
        outside(house, "/V-1/iban", OLD_IBAN, OTHER_IBAN)
        rebase(actor=house.setup, proposal_id=proposal, now=now())
        answer = house.client("ana").post(
            house.url("proposals", proposal, "decide"), form, headers=HTMX
        )
        html = answer.content.decode()
        assert answer.status_code == 412
        assert "from revision 1 to 2" in html
        assert "Looked at length." in html

    def test_says_that_the_policies_ask_for_something_else(self, house: House) -> None:
        proposal, browser = house.propose(), house.client("ana")
        form = house.form(proposal, reason="Looked at length.")
        ask_for(house, level=2, approvals=3)
        answer = browser.post(house.url("proposals", proposal, "decide"), form, headers=HTMX)
        html = answer.content.decode()
        assert answer.status_code == 412
        assert "The policies changed after this was proposed" in html
        assert 'name="choice"' not in html
        browser.post(house.url("proposals", proposal, "rebase"), form)
        html = page(browser, house.url("proposals", proposal))
        assert "3 people with the role" in html
        assert "Looked at length." in html
        assert 'name="choice"' in html
