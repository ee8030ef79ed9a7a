"""Exports of responses: which mailings are due, one row per contact, files of links, and what a second run delivers."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest

from cdp_sync.exporting import ResponseRun, export_responses, look_at_mailings
from cdp_sync.model import EventCounters, EventExportReport, FileGoal, Profiles, ResponseExportGoal
from cdp_sync.warehouse import Warehouse, sync_events
from cdp_sync.warehouse.properties import sync_properties
from cdp_sync.warehouse.renaming import adopt
from cdp_sync_tests.exporting.exporter import Deadly, Folder, Killed
from cdp_sync_tests.exporting.responses_oracle import ROLES, contact_rows, due_mailings, link_rows
from cdp_sync_tests.generated import SEED
from cdp_sync_tests.trail.importer import Importer, check_adds_up

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
TYPES = dict(
    zip(
        ROLES,
        ("email_sent", "email_delivered", "email_opened", "email_link_clicked", "email_bounced", "email_unsubscribed"),
        strict=True,
    )
)
EMAILS = {number: f"p{number}@example.com" for number in range(1, 9)}
OBJECTIVES = {"zones": {"NONE": "opt_in"}, "objectives": [{"name": "mailing", "zones": ["NONE"]}]}


def profiles(**more: Any) -> Profiles:
    """Return a profile model with the ready-made types of e-mail."""
    email = {"name": "email", "type": "email", "identifier": True}
    declared = {"properties": [email, {"name": "likes", "multiple": True}], "event_types": list(TYPES.values())}
    return Profiles.model_validate(declared | more)


def goal(**declared: Any) -> ResponseExportGoal:
    """Return a goal with LF line breaks."""
    form = {"row_delimiter": "linux"} | declared.pop("format", {})
    return ResponseExportGoal.model_validate({"name": "out", "directory": "/outbox", "format": form} | declared)


def event(
    role: str, at: datetime = NOON, person: int = 1, mailing: str | None = "spring", **more: Any
) -> dict[str, Any]:
    """Return an event; its id is made of all that it is."""
    return {"role": role, "at": at, "person": person, "mailing": mailing, "url": None, "kind": None} | more


@dataclass
class Exporter:
    """Runs of one goal on one warehouse, at times that the test gives."""

    folder: Path
    goal: ResponseExportGoal = field(default_factory=goal)
    profiles: Profiles = field(default_factory=profiles)
    objectives: tuple[str, ...] = ()
    now: datetime = NOON + timedelta(hours=48)
    runs: int = 0
    held: int = 0

    def __post_init__(self) -> None:
        """Create the warehouse, with its people, and the server's folder."""
        self.outbox = self.folder / "outbox"
        self.outbox.mkdir(parents=True)
        self.server = Folder(self.outbox)
        self.warehouse = Warehouse(self.folder / "warehouse.duckdb", lock_timeout=20)
        with self.warehouse.open("write") as session:
            sync_properties(session, self.profiles)
            sync_events(session, self.profiles)
            for number, email in EMAILS.items():
                session.execute(
                    "insert into warehouse.profile (profile_id, created_at, email) values (?, ?, ?)",
                    [UUID(int=number), NOON, email],
                )

    def hold(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Insert events as an import does after the last run."""
        with self.warehouse.open("write") as session:
            session.execute("begin")
            for each in events:
                self.held += 1
                made = {
                    "event_id": f"e{self.held}",
                    "profile_id": UUID(int=each["person"]),
                    "happened_at": each["at"],
                    "campaign_id": each["mailing"],
                    "_written_at": self.now + timedelta(microseconds=self.held),
                }
                made |= {"url": each["url"], "link_id": each.get("link_id")} if each["role"] == "clicked" else {}
                made |= {"kind": each["kind"]} if each["role"] == "bounced" else {}
                bound = ", ".join(f"${name}" for name in made)
                session.execute(
                    f"insert into warehouse.event_{TYPES[each['role']]} ({', '.join(made)}) values ({bound})", made
                )
            session.execute("commit")

    def change(self, statement: str) -> None:
        """Execute a statement in the warehouse."""
        with self.warehouse.open("write") as session:
            session.execute(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the warehouse."""
        with self.warehouse.open("read") as session:
            return session.rows(query)

    def next_run(self) -> ResponseRun:
        """Return the next run, not yet started."""
        self.runs += 1
        own = self.folder / f"run{self.runs}"
        own.mkdir()
        return ResponseRun(
            run_id=f"run{self.runs}",
            connection="shop",
            goal=self.goal,
            profiles=self.profiles,
            objectives=self.objectives,
            warehouse=self.warehouse,
            staging=own / "staging.duckdb",
            folder=own / "files",
            now=self.now,
        )

    def run(self, **later: float) -> EventExportReport:
        """Run the goal, so much later if given, and return its report."""
        self.now += timedelta(**later)
        report = export_responses(self.next_run(), self.server, self.folder / "uploads")
        assert report.counters.add_up
        return report

    def delivered(self) -> dict[str, list[dict[str, str]]]:
        """Return the rows of the delivered files by name, and delete the files."""
        found = {}
        for file in sorted(self.outbox.iterdir()):
            found[file.name] = list(csv.DictReader(io.StringIO(file.read_bytes().decode(), newline="")))
            file.unlink()
        return found

    def due(self) -> tuple[list[str], datetime | None]:
        """Return the mailings that are due, and when the next one is."""
        with self.warehouse.open("read") as session:
            found = look_at_mailings(session, self.next_run())
        return [mailing for mailing, _ in found.due], found.next_due


def generated(seed: int, count: int = 250) -> list[dict[str, Any]]:
    """Return events of a seed: of three mailings and of none, in two days."""
    chance = Random(seed)
    return [
        event(
            chance.choice(ROLES),
            NOON + timedelta(hours=chance.randrange(48), minutes=chance.randrange(2)),
            chance.choice(list(EMAILS)[:6]),
            chance.choice(["spring", "sale", "other", None]),
            url=chance.choice(["https://a.example/x?y=1,2", 'https://b.example/"q"', None]),
            kind=chance.choice(["hard", "soft", None]),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", [SEED, SEED + 1, SEED + 2])
def test_files_agree_with_a_second_reading(seed: int, tmp_path: Path) -> None:
    """Each mailing that is due has one row per contact, and one per contact and link; nothing else is delivered."""
    exporter = Exporter(tmp_path, goal(links="one_file", after_hours=36))
    events = [*generated(seed), event("sent", NOON + timedelta(days=3), 7, "late")]
    exporter.hold(events)
    report = exporter.run()
    due = due_mailings(events, exporter.now, timedelta(hours=36))
    found = exporter.delivered()
    assert due == {"spring", "sale", "other"}
    assert found.keys() == {f"responses_{each}{part}.csv" for each in due for part in ("", ".links")}
    for mailing in due:
        assert found[f"responses_{mailing}.csv"] == contact_rows(events, mailing, EMAILS)
        links = sorted(found[f"responses_{mailing}.links.csv"], key=lambda row: (row["email"], row["link"]))
        assert links == link_rows(events, mailing, EMAILS)
    counted = sum(each["mailing"] in due for each in events)
    assert report.counters == EventCounters(events_in_window=counted, events_written=counted)
    assert exporter.due() == ([], NOON + timedelta(days=3, hours=36))
    assert exporter.run(minutes=1).counters == EventCounters()


def test_a_mailing_is_delivered_after_its_hours(tmp_path: Path) -> None:
    """Its responses leave once the hours after its first send have passed, to the microsecond, and then once."""
    exporter = Exporter(tmp_path, goal(after_hours=24), now=NOON)
    exporter.hold([event("sent"), event("opened", NOON + timedelta(hours=1))])
    instant = timedelta(microseconds=1)
    exporter.now = NOON + timedelta(hours=24) - instant
    assert exporter.due() == ([], NOON + timedelta(hours=24))
    assert exporter.run().counters == EventCounters()
    exporter.now += instant
    assert exporter.due() == (["spring"], None)
    assert exporter.run().counters == EventCounters(events_in_window=2, events_written=2)
    assert list(exporter.delivered()) == ["responses_spring.csv"]
    assert exporter.run(days=30).counters == EventCounters()


def test_a_mailing_that_grew_is_delivered_again(tmp_path: Path) -> None:
    """A later open delivers the whole mailing again under its name, and no other mailing."""
    exporter = Exporter(tmp_path)
    exporter.hold([event("delivered"), event("delivered", person=2), event("delivered", mailing="sale")])
    exporter.run()
    exporter.delivered()
    exporter.hold([event("opened", NOON + timedelta(hours=50))])
    assert exporter.due()[0] == ["spring"]
    assert exporter.run(hours=3).counters == EventCounters(events_in_window=3, events_written=3)
    ((name, rows),) = exporter.delivered().items()
    assert (name, [row["opened"] for row in rows]) == ("responses_spring.csv", ["1", "0"])


def test_events_that_change_nothing_deliver_nothing(tmp_path: Path) -> None:
    """A mailing whose events were only written anew is looked at once, and counted as the same."""
    exporter = Exporter(tmp_path)
    exporter.hold([event("delivered")])
    exporter.run()
    exporter.delivered()
    exporter.change("update warehouse.event_email_delivered set _written_at = _written_at + interval 1 day")
    assert exporter.run(days=2).counters == EventCounters(events_in_window=1, events_same=1)
    assert exporter.delivered() == {}
    assert exporter.run().counters == EventCounters()


def test_a_file_for_each_link(tmp_path: Path) -> None:
    """`links: true` puts the clicks of each link into a file, called by the link's id, or else by a digest of it."""
    exporter = Exporter(tmp_path, goal(links=True))
    events = [
        event("delivered", NOON),
        event("clicked", NOON, url="https://a.example/1", link_id="buy now"),
        event("clicked", NOON + timedelta(hours=1), url="https://a.example/1", link_id="buy now"),
        event("clicked", NOON, 2, url="https://a.example/2"),
        event("clicked", NOON, 3, url=None),
    ]
    exporter.hold(events)
    exporter.run()
    found = exporter.delivered()
    named = {re.sub(r"[0-9a-f]{8}", "DIGEST", name): rows for name, rows in found.items()}
    links = {name: rows for name, rows in named.items() if name != "responses_spring.csv"}
    assert links.keys() == {"responses_spring.buy_now-DIGEST.csv", "responses_spring.DIGEST.csv"}
    assert [row["clicks"] for row in links["responses_spring.buy_now-DIGEST.csv"]] == ["2"]
    assert [row["link"] for row in links["responses_spring.DIGEST.csv"]] == ["https://a.example/2"]
    assert [row["clicked"] for row in found["responses_spring.csv"]] == ["2", "1", "1"]


def test_names_of_mailings_never_share_a_file(tmp_path: Path) -> None:
    """Mailings whose names a file cannot have, or that are alike in it, have files of their own."""
    mailings = ["a/b", "a:b", "a_b", "../x", "x" * 300, "x" * 299, "links", "a.links", "Zürich 🎉"]
    exporter = Exporter(tmp_path, goal(links="one_file"))
    exporter.hold([event("clicked", mailing=each, url="u") for each in mailings])
    exporter.run()
    found = exporter.delivered()
    assert len(found) == 2 * len(mailings)
    assert all(re.fullmatch(r"responses_[A-Za-z0-9_-]+(\.links)?\.csv", name) for name in found)
    assert {row["mailing"] for rows in found.values() for row in rows} == set(mailings)


def test_contacts_without_consent_are_counted(tmp_path: Path) -> None:
    """With objectives only contacts that consented have a row; the events of the others are counted."""
    exporter = Exporter(tmp_path, profiles=profiles(**OBJECTIVES), objectives=("mailing",))
    exporter.change("update warehouse.profile set consented_objectives = ['mailing'] where email like 'p1@%'")
    exporter.hold([event("delivered"), event("opened"), event("delivered", person=2)])
    assert exporter.run().counters == EventCounters(events_in_window=3, events_without_consent=1, events_written=2)
    assert [row["email"] for row in exporter.delivered()["responses_spring.csv"]] == ["p1@example.com"]


def test_contacts_of_a_lower_permission_level_have_no_row(tmp_path: Path) -> None:
    """The address of a profile of level 0 or 1 does not leave; one that names contacts by other properties does."""
    properties = [
        {"name": "email", "type": "email", "identifier": True},
        {"name": "permission_level", "type": "number"},
    ]
    exporter = Exporter(tmp_path, profiles=profiles(properties=properties))
    exporter.change("update warehouse.profile set permission_level = 1 where email like 'p1@%'")
    exporter.hold([event("delivered"), event("delivered", person=2)])
    assert exporter.run().counters == EventCounters(events_in_window=2, events_without_consent=1, events_written=1)
    exporter.goal = goal(contact=["permission_level"])
    assert exporter.run().counters == EventCounters(events_in_window=2, events_written=2)


def test_a_value_that_the_file_cannot_hold_is_in_the_quarantine(tmp_path: Path) -> None:
    """The contact's events count as not deliverable, and the quarantine names mailing and profile; others leave."""
    exporter = Exporter(tmp_path, goal(contact=["email", "likes"], format={"multi_value": "|"}))
    exporter.change("update warehouse.profile set likes = ['a|b'] where email like 'p1@%'")
    exporter.hold([event("delivered"), event("delivered", person=2)])
    report = exporter.run()
    assert report.counters == EventCounters(events_in_window=2, events_not_deliverable=1, events_written=1)
    ((reason, times),) = report.reasons
    assert ("likes" in reason, times) == (True, 1)
    assert exporter.rows("select raw, field from warehouse.quarantine") == [(f"spring {UUID(int=1)}", "likes")]


def test_a_delivery_that_was_not_recorded_is_repeated(tmp_path: Path) -> None:
    """After the process ends between delivery and recording, the next run delivers the same file again."""
    exporter = Exporter(tmp_path)
    exporter.hold([event("delivered")])
    with pytest.raises(Killed):
        export_responses(exporter.next_run(), Deadly(exporter.server), exporter.folder / "uploads")
    first = exporter.delivered()
    assert exporter.run().counters.events_written == 1
    assert exporter.delivered() == first


def test_an_event_that_is_of_another_mailing_now_leaves_the_former_one(tmp_path: Path) -> None:
    """An event that was imported again with another mailing is in the rows of that mailing alone."""
    exporter = Exporter(tmp_path)
    exporter.hold([event("delivered"), event("delivered", person=2)])
    exporter.run()
    exporter.delivered()
    exporter.now += timedelta(hours=1)
    moved = f"update warehouse.event_email_delivered set campaign_id = 'summer', _written_at = '{exporter.now}'"
    exporter.change(f"{moved} where event_id = 'e2'")
    exporter.run()
    found = {name: [row["email"] for row in rows] for name, rows in exporter.delivered().items()}
    assert found == {"responses_spring.csv": [EMAILS[1]], "responses_summer.csv": [EMAILS[2]]}
    assert exporter.run().counters == EventCounters()


def test_a_changed_declaration_delivers_every_mailing_again(tmp_path: Path) -> None:
    """Other columns or another file make every delivered mailing due; other hours do not."""
    exporter = Exporter(tmp_path)
    exporter.hold([event("delivered")])
    exporter.run()
    exporter.goal = goal(after_hours=1)
    assert exporter.due()[0] == []
    exporter.goal = goal(file={"name": "other.csv"})
    assert exporter.run().counters.events_written == 1
    assert list(exporter.delivered()) == ["other_spring.csv", "responses_spring.csv"]


def test_a_renamed_goal_goes_on(tmp_path: Path) -> None:
    """A goal with `was` does not deliver again what it delivered under its former name."""
    exporter = Exporter(tmp_path)
    exporter.hold([event("delivered")])
    exporter.run()
    adopt(exporter.warehouse, ("shop", "new"), (None, "out"))
    exporter.goal = goal(name="new")
    assert exporter.run().counters == EventCounters()


def test_removed_events_do_not_shrink_a_file(tmp_path: Path) -> None:
    """A mailing whose events `keep_days` may have removed since stays as it was delivered."""
    kept = {"name": "email_opened", "ready_made": True, "keep_days": 3}
    exporter = Exporter(tmp_path, profiles=profiles(event_types=["email_delivered", kept]))
    exporter.hold([event("delivered"), event("opened")])
    exporter.run()
    exporter.delivered()
    exporter.change("delete from warehouse.event_email_opened")
    exporter.now += timedelta(days=3)
    exporter.hold([event("delivered", person=2)])
    assert exporter.run().counters == EventCounters()


def test_only_mailings_since_a_day(tmp_path: Path) -> None:
    """A mailing that was first sent before `since` is not exported, also if it has later responses."""
    exporter = Exporter(tmp_path, goal(since=date(2026, 11, 29)), now=NOON + timedelta(days=9))
    late = NOON + timedelta(days=1)
    exporter.hold([event("sent"), event("opened", late), event("sent", late, mailing="sale")])
    assert exporter.run().counters.events_written == 1
    assert list(exporter.delivered()) == ["responses_sale.csv"]


def test_types_without_a_table_have_empty_columns(tmp_path: Path) -> None:
    """Before anything was imported nothing is due; a type without a table counts 0."""
    exporter = Exporter(tmp_path)
    exporter.change("drop table warehouse.event_email_opened")
    assert exporter.due() == ([], None)
    exporter.hold([event("delivered")])
    exporter.run()
    ((row,),) = exporter.delivered().values()
    assert (row["delivered"], row["opened"], row["first_opened_at"]) == ("1", "0", "")


def test_a_mailing_without_live_profiles_is_looked_at_once(tmp_path: Path) -> None:
    """Where no live profile has the events of a mailing, it has no rows, and is not due again."""
    exporter = Exporter(tmp_path)
    exporter.hold([event("delivered")])
    exporter.change("delete from warehouse.profile")
    assert exporter.run().counters == EventCounters()
    assert exporter.due() == ([], None)


def test_a_delivered_file_comes_back_through_an_import(tmp_path: Path) -> None:
    """Counts, kinds and times are read back as the same values by an import with the same format."""
    form = {"separator": ";", "dates": "%d-%m-%Y %H:%M:%S", "time_zone": "Europe/Amsterdam"}
    exporter = Exporter(tmp_path, goal(format=form))
    late = NOON + timedelta(hours=3)
    exporter.hold([event("delivered"), event("opened", NOON), event("opened", late), event("bounced", kind="soft")])
    exporter.run()
    properties = [
        {"name": "email", "type": "email", "identifier": True},
        {"name": "opened", "type": "number"},
        {"name": "bounced"},
        {"name": "last_opened_at", "type": "datetime"},
    ]
    declared = {
        "name": "back",
        "format": form,
        "link": [{"field": "email", "property": "email"}],
        "map": [{"field": name, "property": name} for name in ("opened", "bounced", "last_opened_at")],
    }
    back = Importer(
        tmp_path / "back", FileGoal.model_validate(declared), Profiles.model_validate({"properties": properties})
    )
    check_adds_up(back.deliver({file.name: file.read_bytes() for file in exporter.outbox.iterdir()}))
    found = back.rows("select email, opened, bounced, last_opened_at from warehouse.live_profile")
    assert found == [("p1@example.com", 2, "soft", late)]


PROBLEMS = [
    (goal(events={"opened": "opens"}), "events.opened: 'opens' is unknown; allowed: email_sent"),
    (
        goal(mailing="campain_id"),
        "mailing: 'campain_id' is no single value of these events; did you mean 'campaign_id'",
    ),
    (goal(bounce_kind="kinds"), "bounce_kind: 'kinds' is no single value of bounces; did you mean 'kind'"),
    (goal(links=True, link="href"), "links: no clicks with the property 'href'"),
    (goal(contact=["mail"]), "contact[0]: 'mail' is unknown; did you mean 'email'"),
    (goal(contact=["likes"]), "contact: 'likes' holds several values"),
]


@pytest.mark.parametrize(("declared", "problem"), PROBLEMS, ids=[problem for _, problem in PROBLEMS])
def test_what_does_not_fit_is_named(declared: ResponseExportGoal, problem: str) -> None:
    """A declaration that does not fit the profile says what was found and what is needed."""
    (found,) = declared.problems(profiles())
    assert found.startswith(problem)


def test_types_and_contacts_have_to_exist() -> None:
    """Without any of the types, or without an identifier, there is nothing to export."""
    none = Profiles.model_validate({"properties": [{"name": "opened"}], "event_types": ["order", "email_opened"]})
    assert [each.partition(":")[0] for each in goal().problems(none)] == ["contact"]
    assert [each.partition(";")[0] for each in goal(contact=["opened"]).problems(none)] == [
        "contact: a column of responses is called 'opened'"
    ]
    assert "none of the types is declared" in next(goal().problems(profiles(event_types=["order"])))
