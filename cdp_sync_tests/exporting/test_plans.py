"""The steps of an export read only what they declare and what an earlier statement made."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cdp_sync.exporting.preview import preview_export
from cdp_sync.warehouse import Session, Step
from cdp_sync.warehouse.session import Values
from cdp_sync_tests.exporting.exporter import Exporter, column, goal
from cdp_sync_tests.sailthru.exchange import Exchange, person, sailthru, users_goal

READ = re.compile(
    r"\b(?:staging\.|(?:from|join) )("
    r"selected|chosen|leaver|gone|outcome|pass|left_profile|candidate|candidate_place|candidate_profile|candidate_row|"
    r"shared_member"
    r")\b"
)
MADE = re.compile(r"(?:create or replace (?:temp )?table|rename to) (?:staging\.)?(\w+)")


@dataclass
class Recording:
    """Executed statements, and the steps among them."""

    statements: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def check(self, *yielded: str) -> None:
        """Check that each step declares what it reads, reads only made tables, and that the given steps ran."""
        for step in self.steps:
            read = {name.removeprefix("staging.") for name in step.reads} - set(MADE.findall(step.sql))
            assert read == set(READ.findall(step.sql)) - set(MADE.findall(step.sql)), str(step)
        made: set[str] = set()
        for sql in self.statements:
            assert set(READ.findall(sql)) - set(MADE.findall(sql)) <= made, sql
            made |= set(MADE.findall(sql))
        assert {step.yields for step in self.steps} >= set(yielded)


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Recording:
    """Record the statements executed in the test."""
    found, execute, run = Recording(), Session.execute, Session.run

    def executing(session: Session, sql: str, values: Values = None) -> Session:
        found.statements.append(sql)
        return execute(session, sql, values)

    def running(session: Session, steps: Iterable[Step]) -> None:
        for step in steps:
            found.steps.append(step)
            run(session, [step])

    monkeypatch.setattr(Session, "execute", executing)
    monkeypatch.setattr(Session, "run", running)
    return found


def test_the_steps_of_a_file(tmp_path: Path, recording: Recording) -> None:
    """The steps of a file export are valid, also with a profile that is not deliverable."""
    exporter = Exporter(tmp_path / "out", goal(map=[column("email"), column("likes")], format={"multi_value": ";"}))
    exporter.hold([{"email": "ada@b.nl", "likes": ["a;b"]}, {"email": "bob@b.nl"}])
    preview_export(exporter.next_run())
    exporter.run()
    exporter.run()
    recording.check(
        "selected", "data_exchange", "exported_profile", "exported_file", "quarantine", "candidate_profile",
        "candidate_row", "left_profile", "export_exception", "export_state",
    )  # fmt: skip


def test_the_steps_of_users(tmp_path: Path, recording: Recording) -> None:
    """The steps of a user export are valid, also for a user who leaves a list."""
    with sailthru() as box:
        crm = Exchange(tmp_path, goal=users_goal(segment="keen", lists=["Red"], remove_from_lists=True), box=box)
        crm.hold([person("ann"), person("bob")])
        crm.run()
        crm.change("update warehouse.profile set keen = false where email = 'bob@example.com'")
        crm.run()
    recording.check("selected", "leaver", "data_exchange", "exported_profile", "list_member", "quarantine")
