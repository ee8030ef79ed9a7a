"""The steps of an export: each declares what it reads, and an earlier statement makes it."""

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

READ = re.compile(r"\b(?:staging\.|(?:from|join) )(selected|chosen|leaver|gone|outcome)\b")
MADE = re.compile(r"(?:create or replace (?:temp )?table|rename to) (?:staging\.)?(\w+)")


@dataclass
class Noted:
    """The statements that were executed, and the steps among them."""

    statements: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def check(self, *yielded: str) -> None:
        """Check that steps know what they read, that it is made before, and that these steps ran."""
        for step in self.steps:
            read = {name.removeprefix("staging.") for name in step.reads} - set(MADE.findall(step.sql))
            assert read == set(READ.findall(step.sql)) - set(MADE.findall(step.sql)), str(step)
        made: set[str] = set()
        for sql in self.statements:
            assert set(READ.findall(sql)) - set(MADE.findall(sql)) <= made, sql
            made |= set(MADE.findall(sql))
        assert {step.yields for step in self.steps} >= set(yielded)


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Noted:
    """Note what is executed from now on."""
    found, execute, run = Noted(), Session.execute, Session.run

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


def test_the_steps_of_a_file(tmp_path: Path, noted: Noted) -> None:
    """From the segment to the ledger, with a profile that cannot be delivered."""
    exporter = Exporter(tmp_path / "out", goal(map=[column("email"), column("likes")], format={"multi_value": ";"}))
    exporter.hold([{"email": "ada@b.nl", "likes": ["a;b"]}, {"email": "bob@b.nl"}])
    preview_export(exporter.next_run())
    exporter.run()
    noted.check("selected", "data_exchange", "exported_profile", "exported_file", "quarantine")


def test_the_steps_of_users(tmp_path: Path, noted: Noted) -> None:
    """From the segment to the lists, with a user who leaves one."""
    with sailthru() as box:
        crm = Exchange(tmp_path, goal=users_goal(segment="keen", lists=["Red"], remove_from_lists=True), box=box)
        crm.hold([person("ann"), person("bob")])
        crm.run()
        crm.change("update warehouse.profile set keen = false where email = 'bob@example.com'")
        crm.run()
    noted.check("selected", "leaver", "data_exchange", "exported_profile", "list_member", "quarantine")
