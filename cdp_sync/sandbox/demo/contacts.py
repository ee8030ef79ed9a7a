"""Demonstration input: files of contacts for Spotler's exchange, one that differs, and refused rows, corrected."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cdp_sync.sandbox.demo.files import Person, Row, invented_people, shop_people

IMPORT, FAULTS, OUTBOX = (f"spotler/{folder}" for folder in ("import", "faults", "outbox"))
HEADER = ("Email", "FirstName", "City", "Birthday", "Note")
_TOWNS = ("Utrecht", "Delft", "Leiden")
_NEW = 5
_RIGHT: tuple[Row, ...] = (
    ("anna@example.com", "Anna", "Utrecht", "1980-05-01", "a regular"),
    ("bas@example.com", "Bas", "Delft", "", ""),
)
"""The file that is learned: a birthday and a note may be empty."""


@dataclass(frozen=True)
class Contacts:
    """The files of one demonstration. Those of a later one have other people.

    Args:
        number: Of the demonstration, from 0.
        seed: The seed that `write_demo_files` is given.
    """

    number: int = 0
    seed: int = 20260101

    @property
    def people(self) -> list[Person]:
        """People who are new, those of the first file before those of the second."""
        last = 2 * _NEW * (self.number + 1)
        return invented_people(self.seed, "nl_NL", "0175", last)[last - 2 * _NEW :]

    @property
    def names(self) -> tuple[str, str]:
        """What the two files are called."""
        return f"contacts_{2 * self.number + 1}.csv", f"contacts_{2 * self.number + 2}.csv"

    @property
    def values(self) -> list[Row]:
        """What each of them has in the end: address, first name, town, birthday."""
        return [_row(each)[:4] for each in self.people]

    def deliver(self, root: Path) -> Path:
        """Write the first file: new people, one of them twice, a customer of the web shop, and two mistakes.

        Args:
            root: Where the exchange's server has its files.
        """
        first, second, *others = map(_row, self.people[:_NEW])
        customers = shop_people(self.seed, 0)
        customer = _row(customers[self.number % len(customers)])
        nameless, impossible = (first[0], "", *first[2:]), (*second[:3], "1990-02-31", "")
        return _write(root / IMPORT / self.names[0], (nameless, impossible, *others, others[-1], customer))

    def deliver_other(self, root: Path) -> Path:
        """Write the second file, whose columns differ from those that were learned."""
        other = ("Email", "FirstName", "Town", "Birthday")
        return _write(root / IMPORT / self.names[1], [_row(each)[:4] for each in self.people[_NEW:]], other)

    def deliver_right(self, root: Path) -> Path:
        """Write the second file again, with the columns that were learned."""
        return _write(root / IMPORT / self.names[1], [_row(each) for each in self.people[_NEW:]])

    def correct_faults(self, root: Path) -> Path:
        """Correct the rows that were refused of the first file, and hand them in."""
        (found,) = (root / FAULTS).glob(f"*{self.names[0]}.faults.csv")
        rows = [line.split(";") for line in found.read_text(encoding="utf-8").splitlines()[1:]]
        right = {row[0]: row for row in map(_row, self.people)}
        handed_in = _write(root / IMPORT / f"{self.names[0]}.faults.csv", [right[row[0]] for row in rows])
        found.unlink()
        return handed_in


def make_folders(root: Path) -> None:
    """Make the folders of the exchange, where there are none."""
    for folder in (IMPORT, FAULTS, OUTBOX):
        (root / folder).mkdir(parents=True, exist_ok=True)


def next_contacts(root: Path) -> Contacts:
    """Return the files of the next demonstration; of one that was interrupted the file that differs is removed."""
    delivered = sorted((root / IMPORT).glob("contacts_*[0-9].csv"))
    for file in delivered:
        if not file.read_text(encoding="utf-8").startswith(_line(HEADER)):
            file.unlink()
    return Contacts((len(delivered) + 1) // 2)


def write_right_file(folder: Path) -> Path:
    """Write the file that is learned."""
    return _write(folder / "contacts_right.csv", _RIGHT)


def _row(person: Person) -> Row:
    town = _TOWNS[int(person.number) % len(_TOWNS)]
    return person.email, person.first_name, town, person.birthday.isoformat(), ""


def _line(row: Row) -> str:
    return f"{';'.join(row)}\n"


def _write(target: Path, rows: Sequence[Row], header: Row = HEADER) -> Path:
    target.write_text("".join(map(_line, (header, *rows))), encoding="utf-8")
    return target
