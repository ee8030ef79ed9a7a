"""The demonstration's letters and contacts: reproducible, in the past, with the differences that its steps show."""

import csv
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from cdp_sync.sandbox.demo import contacts as demo
from cdp_sync.sandbox.demo.contacts import Contacts, make_folders, next_contacts, write_right_file
from cdp_sync.sandbox.demo.files import shop_people
from cdp_sync.sandbox.demo.messages import HEADER, LETTERS, read_messages, write_messages

UNTIL = date(2026, 6, 1)
MOMENTS = ("SentAt", "DeliveredAt", "OpenedAt", "ClickedAt", "OrderedAt")


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """Write the letters once, and return the rows."""
    root = tmp_path_factory.mktemp("letters")
    write_messages(root, until=UNTIL)
    return read_messages(root)


def test_letters_are_reproducible(tmp_path: Path) -> None:
    """The same seed and day yield the same bytes, another seed others; a file that is there stays as it is."""
    files = [write_messages(tmp_path / name, until=UNTIL, seed=seed) for name, seed in (("a", 7), ("b", 7), ("c", 8))]
    one, two, three = (file.read_bytes() for file in files if file)
    assert one == two != three
    assert write_messages(tmp_path / "a", until=UNTIL + timedelta(days=1), seed=8) is None
    assert [file.read_bytes() for file in (tmp_path / "a").rglob("*.csv")] == [one]


def test_letters_are_in_the_past(messages: list[dict[str, str]]) -> None:
    """Every moment is after the one before it and before the day; responses to the last letter are due."""
    for row in messages:
        moments = [datetime.fromisoformat(row[name]) for name in MOMENTS if row[name]]
        assert all(before < after for before, after in pairwise(moments))
        assert moments[-1] < datetime(2026, 5, 31, 8, tzinfo=UTC)
    sent = sorted({row["SentAt"] for row in messages})
    assert (len(sent), sent[-1]) == (LETTERS, "2026-05-30T08:00:00+00:00")
    assert datetime.fromisoformat(sent[0]) < datetime(2026, 6, 1, tzinfo=UTC) - timedelta(days=90)


def test_customers_differ(messages: list[dict[str, str]]) -> None:
    """A message has one fate: some are bounced, opened, clicked and followed by an order. Few customers are alike."""
    delivered, opened = defaultdict(int), defaultdict(int)
    for row in messages:
        assert bool(row["DeliveredAt"]) != bool(row["BouncedAt"])
        delivered[row["Email"]] += bool(row["DeliveredAt"])
        opened[row["Email"]] += bool(row["OpenedAt"])
    assert {each.email for each in shop_people(20260101, 0)} == delivered.keys()
    assert len({opened[email] / delivered[email] for email in delivered}) > len(delivered) / 3
    assert len(set(delivered.values())) > 5
    counts = [sum(bool(row[name]) for row in messages) for name in MOMENTS]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] > 5
    assert all(row.keys() == set(HEADER) for row in messages)


def test_files_of_contacts(tmp_path: Path) -> None:
    """The first file has two mistakes and a duplicate, the second one other columns; corrected, everybody is right."""
    make_folders(tmp_path)
    right = write_right_file(tmp_path)
    contacts = next_contacts(tmp_path)
    first, other = contacts.deliver(tmp_path), contacts.deliver_other(tmp_path)
    assert header(first) == header(right) != header(other)
    cells = rows(first)
    assert [row["Email"] for row in cells if not row["FirstName"]] == [contacts.people[0].email]
    assert [row["Email"] for row in cells if row["Birthday"] == "1990-02-31"] == [contacts.people[1].email]
    assert len(cells) - len({row["Email"] for row in cells}) == 1
    refused = (",".join(row.values()).replace(",", ";") for row in cells[:2])
    faults = tmp_path / demo.FAULTS / f"1a2b3c4d_{first.name}.faults.csv"
    faults.write_text("\n".join([";".join(demo.HEADER), *refused, ""]), encoding="utf-8")
    corrected = rows(contacts.correct_faults(tmp_path)) + rows(first)[2:-1] + rows(contacts.deliver_right(tmp_path))
    landed = {row["Email"]: tuple(row.values())[:4] for row in corrected}
    assert sorted(landed.values()) == sorted(contacts.values)
    assert not faults.exists()


def test_a_later_demonstration_has_other_contacts(tmp_path: Path) -> None:
    """It has other files and people; after one that was interrupted, the file that differs is gone."""
    make_folders(tmp_path)
    first = next_contacts(tmp_path)
    first.deliver(tmp_path)
    differing = first.deliver_other(tmp_path)
    second = next_contacts(tmp_path)
    assert not differing.exists()
    assert second == Contacts(1)
    assert not set(first.names) & set(second.names)
    assert not set(first.values) & set(second.values)


def header(file: Path) -> str:
    """Return the first line of a file."""
    return file.read_text(encoding="utf-8").splitlines()[0]


def rows(file: Path) -> list[dict[str, str]]:
    """Return the rows of a file of contacts."""
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter=";"))
