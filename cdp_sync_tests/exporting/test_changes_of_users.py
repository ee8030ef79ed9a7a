"""An export to users looks at those who may have changed, and at those who are the same users, as a full pass does."""

import copy
import json
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_sync.connectors.sailthru.goals import UserExportGoal
from cdp_sync.errors import CdpSyncError, RequestRefused, ServerUnreachable, UserForgotten
from cdp_sync.exporting import UserRun, export_users
from cdp_sync.model import ExportCounters
from cdp_sync.model.audience import Delivered, Outcome, Users
from cdp_sync.warehouse import Warehouse
from cdp_sync_tests.exporting.changing import CONDITIONS, DECLARED, ORDERS, PEOPLE, Compared, Found
from cdp_sync_tests.exporting.exporter import NOON
from cdp_sync_tests.generated import examples

HEADER = "Number,Email,Phone,Name,Seen,Firm"
MAILS = ("ann@x.org", "bob@x.org", "cid@x.org", "")


def users_goal(segment: str, **more: Any) -> UserExportGoal:
    """Return a goal that brings a segment's profiles to users by their address, and on a list while they are in it."""
    usual = {
        "name": "crm",
        "segment": segment,
        "link": [{"field": "email", "property": "email"}],
        "create_users": True,
        "map": [{"field": "name", "property": "name"}, {"field": "lately", "segments": ["lately"]}],
        "lists": ["Red"],
        "remove_from_lists": True,
    }
    return UserExportGoal.model_validate(usual | more)


@dataclass
class Crm:
    """A platform that notes what it is asked for. It refuses, does not know, or has forgotten the users it is to."""

    answers: dict[str, str] = field(default_factory=dict)
    """What it says of users, by address, after `off ` where they are taken off: refused, absent or forgotten."""
    members: set[str] = field(default_factory=set)
    said: list[str] = field(default_factory=list)
    is_down: bool = False

    def deliver(self, users: Users) -> None:
        """Take users, and put them on the list."""
        for place, user in users:
            name = str(user["id"])
            self.said.append(json.dumps(user, sort_keys=True))
            if not (answer := self._answer(name)):
                self.members.add(name)
            joined = {"Red": NOON + timedelta(days=900)}
            users.note(place, self._outcome(answer) if answer else Delivered(f"p{name}", joined))

    def remove(self, users: Users) -> None:
        """Take users off the list."""
        for place, user in users:
            self.said.append(f"off {user['id']}")
            name = str(user["id"]).removeprefix("p")
            if not (answer := self._answer(name) or self._answer(f"off {name}")):
                self.members.discard(name)
            users.note(place, self._outcome(answer) if answer else Delivered())

    def _answer(self, name: str) -> str:
        if self.is_down:
            raise ServerUnreachable("The server is not there.")
        return self.answers.get(name, "")

    @staticmethod
    def _outcome(answer: str) -> Outcome:
        if answer == "refused":
            return RequestRefused("It is not wanted.")
        return UserForgotten("It is forgotten.") if answer == "forgotten" else None


class ComparedUsers(Compared):
    """One warehouse and platform: each export runs on copies of them as a full pass, and then on themselves."""

    def __init__(self, folder: Path, goal: UserExportGoal) -> None:
        """Start with an empty warehouse and a platform without users."""
        super().__init__(folder, goal)
        self.crm = Crm()

    def fail(self) -> None:
        """Run an export that does not reach the platform, if there is something to deliver."""
        self.side.runs += 1
        run = self._users_run(self.side.warehouse, self.side.folder / f"failed{self.side.runs}", full=False)
        with suppress(ServerUnreachable):
            export_users(run, Crm(is_down=True))

    def _users_run(self, warehouse: Warehouse, folder: Path, *, full: bool) -> UserRun:
        folder.mkdir(exist_ok=True)
        return UserRun(
            f"run{self.side.runs}", "shop", self.goal, DECLARED, self.objectives, warehouse,
            folder / "staging.duckdb", folder / "files", self.now, full,
        )  # fmt: skip

    def _run(self, warehouse: Warehouse, folder: Path, *, full: bool) -> Found:
        own = warehouse == self.side.warehouse
        crm = self.crm if own else copy.deepcopy(self.crm)
        crm.said.clear()
        report = export_users(self._users_run(warehouse, folder, full=full), crm)
        with warehouse.open("read") as session:
            kept = (
                session.rows("select profile_id, row_hash, value_hash from warehouse.exported_profile order by all"),
                session.rows("select profile_id, ending from warehouse.export_exception order by all"),
                session.rows("select counters from warehouse.export_state"),
                session.rows("from warehouse.list_member order by all"),
                session.rows("from warehouse.list_intent order by all"),
                session.rows("from warehouse.forgotten_user order by all"),
                sorted(crm.members),
                report.profiles_taken_off,
            )
        return Found(report, sorted(crm.said), kept)


STEPS = st.sampled_from(
    ["person", "person", "person", "person", "order", "merge", "unmerge", "later", "fail", "answer", "answer",
     "declare", "forget"]
)  # fmt: skip


def happen(data: st.DataObject, compared: ComparedUsers) -> None:
    """Let something happen to the warehouse, to the platform or to the time."""
    side, what, number = compared.side, data.draw(STEPS), data.draw(st.integers(1, 4))
    moment = (compared.now - timedelta(hours=data.draw(st.sampled_from([0, 24, 47, 48, 72])))).isoformat()
    match what:
        case "person":
            mail, phone = data.draw(st.sampled_from(MAILS)), data.draw(st.sampled_from(["", "", "11111"]))
            name = data.draw(st.sampled_from(["Ann", "Bob", "Cid"]))
            compared.deliver(PEOPLE, HEADER, f"n{number},{mail},{phone},{name},{moment},")
        case "order":
            compared.deliver(ORDERS, "Number,Order,At,Sku,Best", f"n{number},o{number},{moment},a,")
        case "merge" | "unmerge":
            with suppress(CdpSyncError):  # they are one already, or not
                side.merge(f"n{number}", "n1") if what == "merge" else side.unmerge(f"n{number}")
        case "later":
            compared.now += timedelta(hours=data.draw(st.sampled_from([1, 24, 48])))
        case "answer":
            answer = data.draw(st.sampled_from(["", "refused", "absent", "forgotten"]))
            compared.crm.answers[data.draw(st.sampled_from(MAILS[:3]))] = answer
        case "declare":
            compared.goal = compared.goal.model_copy(update={"segment": data.draw(st.sampled_from(SEGMENTS))})
        case _:
            compared.maintain(what)


SEGMENTS = ["everybody", "named", "lately", "buyers"]


@examples(10)
@given(data=st.data())
def test_the_short_way_chooses_users_as_a_full_pass(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After whatever happens: the same users are sent and leave, with the same counters, ledger and memberships."""
    folder = tmp_path_factory.mktemp("history")
    more = {} if data.draw(st.booleans()) else {"remove_from_lists": False}
    compared = ComparedUsers(folder, users_goal(data.draw(st.sampled_from(SEGMENTS)), **more))
    compared.deliver(PEOPLE, HEADER, "n1,ann@x.org,,Ann,,", "n2,ann@x.org,,Bob,,", "n3,cid@x.org,,Cid,,")
    compared.export()
    for _ in range(data.draw(st.integers(2, 7))):
        happen(data, compared)
        compared.export()
    shutil.rmtree(folder)


@pytest.fixture
def compared(tmp_path: Path) -> ComparedUsers:
    """Three people; two of them share an address."""
    made = ComparedUsers(tmp_path, users_goal("named"))
    made.deliver(PEOPLE, HEADER, "n1,ann@x.org,,ann,,", "n2,ann@x.org,,bob,,", "n3,cid@x.org,,ann,,")
    assert made.export().report.counters == ExportCounters(3, profiles_written=2, profiles_not_deliverable=1)
    return made


def check_short(compared: ComparedUsers) -> Found:
    """Export, and check that it looked at a few only."""
    found = compared.export()
    assert found.report.full_pass == ""
    return found


def test_nothing_changed(compared: ComparedUsers) -> None:
    """Nobody is sent or leaves."""
    assert check_short(compared).lines == []
    assert check_short(compared).report.counters == ExportCounters(3, profiles_same=2, profiles_not_deliverable=1)


def test_the_next_profile_stands_for_a_user(compared: ComparedUsers) -> None:
    """Where the oldest profile of a user leaves the segment, the next one is sent: the user is back on the list."""
    compared.deliver(PEOPLE, HEADER, "n1,,,zoe,,")
    found = check_short(compared)
    assert (len(found.lines), found.report.profiles_taken_off) == (2, 1)
    assert compared.crm.members == {"ann@x.org", "cid@x.org"}


def test_a_new_profile_of_a_known_user_is_not_sent(compared: ComparedUsers) -> None:
    """One that comes, or changes its address, stands back for the profile that was there, which nothing has changed."""
    compared.deliver(PEOPLE, HEADER, "n4,cid@x.org,,ann,,")
    assert check_short(compared).report.counters.profiles_not_deliverable == 2
    compared.deliver(PEOPLE, HEADER, "n3,ann@x.org,,,,")
    assert check_short(compared).report.counters.profiles_not_deliverable == 2
    assert compared.crm.members == {"ann@x.org", "cid@x.org"}


def test_a_user_who_could_not_be_taken_off_is_tried_again(compared: ComparedUsers) -> None:
    """As after a full pass, each run tries it until it is done."""
    compared.crm.answers["cid@x.org"] = "refused"
    compared.deliver(PEOPLE, HEADER, "n3,,,zoe,,")
    assert check_short(compared).lines == ["off pcid@x.org"]
    assert check_short(compared).lines == ["off pcid@x.org"]
    del compared.crm.answers["cid@x.org"]
    assert check_short(compared).report.profiles_taken_off == 1
    assert check_short(compared).lines == []


def test_what_a_merged_profile_has_put_on_a_list_leaves_with_its_survivor(tmp_path: Path) -> None:
    """The survivor is the same user and was never taken itself: with time the user leaves."""
    compared = ComparedUsers(tmp_path, users_goal("lately"))
    now = NOON.isoformat()
    compared.deliver(PEOPLE, HEADER, f"n1,cid@x.org,,ann,{now},", f"n2,,,ann,{now},")
    compared.export()
    compared.side.merge("n1", "n2")
    compared.crm.answers["cid@x.org"] = "refused"
    check_short(compared)
    compared.crm.answers.clear()
    compared.now += timedelta(days=4)
    assert check_short(compared).lines == ["off pcid@x.org"]


def test_a_user_stays_who_is_another_profile_as_well(compared: ComparedUsers) -> None:
    """Of two profiles that have put a user on the list one leaves; the other, which nothing has changed, stays."""
    compared.crm.answers["off ann@x.org"] = "refused"
    compared.deliver(PEOPLE, HEADER, "n1,,,zoe,,")
    check_short(compared)
    del compared.crm.answers["off ann@x.org"]
    compared.deliver(PEOPLE, HEADER, "n1,,,ann,,")
    check_short(compared)
    assert check_short(compared).lines == []
    compared.deliver(PEOPLE, HEADER, "n2,,,zoe,,")
    assert check_short(compared).lines == []
    assert compared.crm.members == {"ann@x.org", "cid@x.org"}


@pytest.mark.parametrize("answer", ["refused", "absent"])
def test_a_user_who_was_not_taken_is_sent_again(answer: str, compared: ComparedUsers) -> None:
    """Each run sends it, until the platform takes it."""
    compared.crm.answers["cid@x.org"] = answer
    compared.deliver(PEOPLE, HEADER, "n3,,,bob,,")
    for _ in range(2):
        assert len(check_short(compared).lines) == 1
    del compared.crm.answers["cid@x.org"]
    assert check_short(compared).report.counters.profiles_written == 1
    assert check_short(compared).lines == []


def test_merged_users_leave_and_come_back(compared: ComparedUsers) -> None:
    """The user of a merged profile leaves the list, and is on it again after an unmerge."""
    compared.deliver(PEOPLE, HEADER, "n2,,,zoe,,")
    compared.side.merge("n3", "n1")
    check_short(compared)
    assert compared.crm.members == {"cid@x.org"}
    assert check_short(compared).lines == []
    compared.side.unmerge("n3")
    check_short(compared)
    check_short(compared)
    assert compared.crm.members == {"ann@x.org", "cid@x.org"}


def test_every_condition_is_declared() -> None:
    """The segments of this test are among those of the declarations."""
    assert set(SEGMENTS) <= set(CONDITIONS)
