"""The demonstration's exchange with Spotler: a file is learned, and only files like it are imported."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg

from cdp_sync.calling import call
from cdp_sync.learning import learn
from cdp_sync.model import ImportReport
from cdp_sync.model.counting import counted
from cdp_sync.orchestration.data_folder import project_warehouse
from cdp_sync.orchestration.declarations import Declarations
from cdp_sync.orchestration.project import load_connection
from cdp_sync.orchestration.runs.launch import Order, Outcome, launch
from cdp_sync.printing import print_error, print_table, print_title, say
from cdp_sync.sandbox.demo.contacts import OUTBOX, Contacts, next_contacts, write_right_file
from cdp_sync.sandbox.demo.messages import read_messages
from cdp_sync.terminal import print_goal, print_learned, show_progress

CONNECTION, _GOAL = "spotler", "contacts"
_REPORTED = "read 7, new 4, changed 1, unchanged 0, duplicates 1, refused 1, values refused 1."
_DIFFERS = ("'City' is missing", "'Town'", "'Note' is missing")

_FOUND = """
select lower(email), first_name, city, birthday::text
from warehouse.live_profile
where lower(email) in $emails
order by 1"""


def exchange_files(root: Path, folder: Path, declarations: Declarations) -> bool:
    """Learn a file, and import files; return whether only those like it landed, and all their rows in the end.

    Args:
        root: Where the exchange's server has its files.
        folder: Where the file that is learned is written.
        declarations: The demonstration's.
    """
    print_title("Spotler's exchange: only files like one that was learned")
    right, contacts, definitions = write_right_file(folder), next_contacts(root), load_connection(CONNECTION)
    here = Path.cwd()
    say(call(f"learn {CONNECTION} {right.relative_to(here) if right.is_relative_to(here) else right}"))
    print_learned(learn(declarations, CONNECTION, None, right, ()))
    return (
        _imports(definitions, contacts.deliver(root), declarations.connection(CONNECTION).report_emails)
        and _refuses(definitions, contacts.deliver_other(root))
        and _lands(definitions, contacts, contacts.correct_faults(root), contacts.deliver_right(root))
    )


def _imports(definitions: dg.Definitions, file: Path, emails: Sequence[str]) -> bool:
    """Import the first file, and show the report."""
    say(f"\n{file.name} is like it, with two mistakes:", lines=True)
    report = _imported(_run(definitions))
    say(f"The report, which {call('up')} mails to {', '.join(emails)}:")
    for line in report.lines:
        say(f"  {line}")
    return _expect(any(_REPORTED in line for line in report.lines), f"The report does not say: {_REPORTED}")


def _refuses(definitions: dg.Definitions, file: Path) -> bool:
    """Run with the second file, which differs."""
    say(f"\n{file.name} has other columns:", lines=True)
    outcome = _run(definitions)
    report = _imported(outcome)
    is_explained = all(each in " ".join(report.errors) for each in _DIFFERS)
    return _expect(
        outcome.state == "failed" and is_explained, "The run did not fail, or did not say how the file differs."
    )


def _lands(definitions: dg.Definitions, contacts: Contacts, *files: Path) -> bool:
    """Import the files that were corrected, and look whether everybody has the values of their row."""
    say(f"{' and '.join(file.name for file in files)} are corrected:")
    outcome = _run(definitions)
    expected = sorted(contacts.values)
    with project_warehouse().open("read") as session:
        found = session.rows(_FOUND, {"emails": [email for email, *_ in expected]})
    if not _expect(outcome.state == "success" and found == expected, "Not every contact has the values of its row."):
        return False
    say(f"All {len(expected)} contacts are there, each with the values of its row.\n", lines=True)
    return True


def responses_agree(root: Path) -> bool:
    """Show the file with the responses to the last letter; return whether they add up to those that were imported.

    Args:
        root: Where the exchange's server has its files.
    """
    messages = read_messages(root)
    letter = max(row["Letter"] for row in messages)
    file = root / OUTBOX / f"responses_{letter}.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter=";"))
    say((file.name, "bold"), f"  {counted(len(rows), 'contact')}, one of {counted(_letters(messages), 'letter')}")
    names = {"delivered": "DeliveredAt", "opened": "OpenedAt", "clicked": "ClickedAt", "bounced": "BouncedAt"}
    columns = ("email", *names, "first_opened_at")
    print_table(
        [f"  {columns[0]}", *columns[1:]], [[f"  {row['email']}", *map(row.get, columns[1:])] for row in rows[:3]]
    )
    of_letter = [row for row in messages if row["Letter"] == letter]
    expected = [sum(bool(row[field]) for row in of_letter) for field in names.values()]
    found = [sum(row[name] not in ("", "0") for row in rows) for name in names]
    say(f"  all: {', '.join(f'{name} {count}' for name, count in zip(names, found, strict=True))}\n", lines=True)
    return _expect(found == expected, f"The responses differ from what happened: {expected}.")


def _letters(messages: Sequence[Mapping[str, str]]) -> int:
    return len({row["Letter"] for row in messages})


def _run(definitions: dg.Definitions) -> Outcome:
    with show_progress() as progress:
        outcome = launch(definitions, Order(CONNECTION), progress)
    for report in outcome.goals:
        print_goal(report)
    return outcome


def _imported(outcome: Outcome) -> ImportReport:
    (report,) = [each for each in outcome.goals if isinstance(each, ImportReport)]
    return report


def _expect(fine: bool, problem: str) -> bool:
    if not fine:
        print_error(problem)
    return fine
