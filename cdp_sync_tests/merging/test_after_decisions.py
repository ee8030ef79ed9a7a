"""What a decision means for what comes later: rules that are no more, rows with a key."""

from pathlib import Path

import pytest

from cdp_sync.model import FileGoal
from cdp_sync_tests.merging.merge_side import MergeSide, fewer_holders
from cdp_sync_tests.merging.test_splits import NOON, PEOPLE, deliver, shown, two

RECEIPTS = FileGoal(
    name="receipts",
    link=[{"field": "Email", "property": "emails"}],
    map=[{"field": "Total", "property": "total", "mode": "sum"}],
    row_key=["Receipt"],
)


@pytest.fixture
def side(tmp_path: Path) -> MergeSide:
    """The product with an empty warehouse."""
    return MergeSide(tmp_path, PEOPLE)


def test_a_decision_of_a_former_rule_holds(side: MergeSide) -> None:
    """Too many holders of its value do not revoke it, until a rule names the property again."""
    two(side)
    side.declared = PEOPLE.model_copy(update={"merge_rules": ()})
    with fewer_holders(2):
        deliver(side, "/2.csv", "n3,ann@x,,,", "n4,ann@x,,,")
        assert side.apply_rules().unmerged == 0
        assert shown(side).keys() == {"n1", "n3", "n4"}
        side.declared = PEOPLE
        assert side.apply_rules().unmerged == 1
    assert shown(side).keys() == {"n1", "n2", "n3", "n4"}


def test_a_former_rule_is_taken_back_by_hand(side: MergeSide) -> None:
    """An unmerge takes apart what a rule merged that is no more."""
    two(side)
    side.declared = PEOPLE.model_copy(update={"merge_rules": ()})
    side.unmerge("n2")
    assert shown(side).keys() == {"n1", "n2"}


def test_a_row_with_a_key_goes_to_the_part_that_its_link_names(side: MergeSide) -> None:
    """After its address was split off, what a row of the key adds moves there."""
    deliver(side, "/1.csv", "n1,ann@x|anna@x,Ann,1,")
    first, second = (f"Email,Receipt,Total\nanna@x,r1,{total}\n".encode() for total in (10, 20))
    side.deliver(RECEIPTS, [("/r1.csv", first, NOON)])
    assert shown(side)["n1"]["total"] == "11"
    side.unmerge("n1", identifiers=["anna@x"])
    side.deliver(RECEIPTS, [("/r2.csv", second, NOON), ("/r1.csv", first + b"ann@x,r2,0\n", NOON)])
    assert {name: values.get("total") for name, values in shown(side).items()} == {"n1": "1", "anna@x": "10"}
