"""The files of the demonstration: reproducible, parseable, with the promised anomalies."""

import csv
import gzip
import io
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cdp_sync.sandbox.demo import files as demo
from cdp_sync.sandbox.demo.welcome import deliver_first_order

SHOP_ONE = "webshop/inbox/customers_2026-01-05.csv"
SHOP_TWO = "webshop/inbox/customers_2026-01-06.csv"
SHOP_THREE = "webshop/inbox/customers_2026-01-07.csv"
ORDERS = "webshop/inbox/orders_2026-01-06.csv"
LINES = "webshop/inbox/order_lines_2026-01-06.csv"
CONSENTS = "webshop/inbox/consents_2026-01-06.csv"
BRANCH_ONE = "filiale/inbox/kunden_2026-01-05.csv"
BRANCH_TWO = "filiale/inbox/kunden_2026-01-06.csv.gz"
BRANCH_THREE = "filiale/inbox/kunden_2026-01-07.csv.gz"
STORES = "filiale/inbox/filialen_2026-01-05.csv"
DAILY = (BRANCH_TWO, SHOP_TWO, ORDERS, LINES, CONSENTS)
FILES = (STORES, BRANCH_ONE, SHOP_ONE, *DAILY)

ODDITIES = [
    pytest.param(path, rows, id=f"{Path(path).name}: {name}")
    for path, oddities in (
        (SHOP_ONE, demo.SHOP_ODDITIES),
        (SHOP_TWO, demo.LATER_SHOP_ODDITIES),
        (ORDERS, demo.ORDER_ODDITIES),
        (LINES, demo.LINE_ODDITIES),
        (BRANCH_ONE, demo.BRANCH_ODDITIES),
    )
    for name, rows in oddities.items()
]

Rows = list[list[str]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the files once."""
    folder = tmp_path_factory.mktemp("demo")
    demo.write_demo_files(folder)
    return folder


def read(file: Path) -> Rows:
    """Return header and rows, parsed as the connection declares."""
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    branch = "filiale" in file.parts
    text = content.decode("latin-1" if branch else "utf-8")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=";" if branch else ",", strict=True))


def column(rows: Rows, name: str) -> list[str]:
    """Return one column of the rows that are as long as the header."""
    place = rows[0].index(name)
    return [row[place] for row in rows[1:] if len(row) == len(rows[0])]


def fails(convert: Callable[[str], object], cell: str) -> bool:
    """Return whether a cell cannot be converted."""
    try:
        convert(cell)
    except ValueError:
        return cell != ""
    return False


def german_number(cell: str) -> float:
    """Convert a number with a decimal comma."""
    if "." in cell:
        raise ValueError(cell)
    return float(cell.replace(",", "."))


def german_date(cell: str) -> datetime:
    """Convert a date in German format."""
    return datetime.strptime(cell, "%d.%m.%Y")


def contents(folder: Path) -> dict[str, tuple[bytes, float]]:
    """Return bytes and modification time by path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime) for path in files}


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    """The same seed yields the same bytes and times; another seed yields other people."""
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        demo.write_demo_files(tmp_path / name, seed=seed)
        demo.deliver_corrections(tmp_path / name, seed=seed)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert contents(tmp_path / "one")[SHOP_ONE] != contents(tmp_path / "three")[SHOP_ONE]


def test_files(root: Path, tmp_path: Path) -> None:
    """The promised files exist, older ones first; each further round adds a day."""
    paths = demo.write_demo_files(tmp_path, rounds=3)
    assert contents(root).keys() == set(FILES)
    assert contents(root).items() <= contents(tmp_path).items()
    assert len(paths) == len(FILES) + 2 * len(DAILY)
    times = [path.stat().st_mtime for path in paths]
    assert times == sorted(set(times))


@pytest.mark.parametrize("path", [path for path in FILES if path != STORES])
def test_declared_format(root: Path, path: str) -> None:
    """Every file parses strictly in its declared format, and nearly all of its cells convert."""
    header, *rows = read(root / path)
    expected = {
        "orders": demo.ORDERS_HEADER,
        "order_lines": demo.LINES_HEADER,
        "kunden": demo.BRANCH_HEADER,
        "customers": demo.SHOP_HEADER,
        "consents": demo.CONSENTS_HEADER,
    }
    assert tuple(header) == expected[Path(path).name.rpartition("_")[0]]
    assert sum(len(row) == len(header) for row in rows) > 0.9 * len(rows) > 25


@pytest.mark.parametrize(
    ("path", "name", "convert", "bad"),
    [
        (SHOP_ONE, "Orders", int, {"n/a"}),
        (SHOP_ONE, "Total", float, {"1.234,56"}),
        (SHOP_ONE, "Birthday", datetime.fromisoformat, {"1990-02-31"}),
        (SHOP_ONE, "LastSeen", datetime.fromisoformat, {"2026-01-04 24:61:00"}),
        (ORDERS, "Amount", float, {"n/a", "1.234,56"}),
        (ORDERS, "OrderedAt", datetime.fromisoformat, set()),
        (LINES, "Quantity", int, {"two"}),
        (LINES, "NetPrice", float, set()),
        (STORES, "Eröffnet", german_date, {"31.02.1998"}),
        (BRANCH_ONE, "Umsatz", german_number, {"n/a", "1,234.56"}),
        (BRANCH_ONE, "Geburtstag", german_date, {"31.02.1990"}),
        (BRANCH_TWO, "Umsatz", german_number, set()),
        (SHOP_TWO, "Total", float, set()),
    ],
)
def test_cells_convert(root: Path, path: str, name: str, convert: Callable[[str], object], bad: set[str]) -> None:
    """All cells convert as declared, except for the deliberate ones."""
    cells = column(read(root / path), name)
    assert {cell for cell in cells if fails(convert, cell)} == bad


@pytest.mark.parametrize(("path", "oddities"), ODDITIES)
def test_anomalies_are_present(root: Path, path: str, oddities: tuple[demo.Row, ...]) -> None:
    """Each row of the tables of anomalies stands in its file as often as in the table."""
    rows = [tuple(row) for row in read(root / path)]
    for row in oddities:
        assert rows.count(row) == oddities.count(row)


def test_duplicates(root: Path) -> None:
    """The files have exact duplicates, and people with two different rows."""
    for path, address in ((SHOP_ONE, "Email"), (BRANCH_ONE, "E-Mail")):
        rows = read(root / path)
        repeated = [row for row in rows if rows.count(row) > 1]
        assert len(repeated) == 2
        people = [cell.lower() for cell in column(rows, address) if cell]
        assert len(people) - len(set(people)) >= 2


def test_ragged_rows(root: Path) -> None:
    """Both customer files have rows with too few and with too many fields."""
    for path in (SHOP_ONE, BRANCH_ONE):
        header, *rows = read(root / path)
        assert {(len(row) > len(header)) - (len(row) < len(header)) for row in rows} == {-1, 0, 1}


def test_difficult_text(root: Path) -> None:
    """The files have latin-1 umlauts, newlines and commas in quotes, apostrophes, and numbers as text."""
    branch, shop = read(root / BRANCH_ONE), read(root / SHOP_ONE)
    assert "Müßig" in column(branch, "Nachname")
    assert b"M\xfc\xdfig" in (root / BRANCH_ONE).read_bytes()
    assert "Graf; von Öhningen" in column(branch, "Nachname")
    assert "Line\nBreak" in column(shop, "FirstName")
    assert {"O'Brien", "Smith, Jr.", "Brontë-Núñez"} <= set(column(shop, "LastName"))
    assert {"0171", "+44 171 555 0199"} <= set(column(shop, "CustomerNumber"))
    assert any(";" in cell for cell in column(shop, "Interests"))
    assert any("|" in cell for cell in column(branch, "Interessen"))


def test_rows_without_identifier(root: Path) -> None:
    """Some rows have no identifier: blank, blocked or zeros only."""
    nobody = {"", "unknown", "n/a", "anonymous", "0000", "-"}
    for path, names in ((SHOP_ONE, ("Email", "CustomerNumber")), (BRANCH_ONE, ("Kundennummer", "E-Mail"))):
        rows = read(root / path)
        found = set(zip(*(column(rows, name) for name in names), strict=True))
        assert sum({cell.lower() for cell in pair} <= nobody for pair in found) == 3


def test_ambiguous_rows(root: Path) -> None:
    """Two rows of the later delivery have the address of one known person and the number of another."""
    first, later = read(root / SHOP_ONE), read(root / SHOP_TWO)
    number_of = dict(zip(column(first, "Email"), column(first, "CustomerNumber"), strict=True))
    pairs = zip(column(later, "Email"), column(later, "CustomerNumber"), strict=True)
    mixed_up = [(email, number) for email, number in pairs if number_of.get(email, number) != number]
    assert len(mixed_up) == 2
    assert {number for _, number in mixed_up} <= set(number_of.values())


def test_people_overlap(root: Path) -> None:
    """The branch shares people with the shop, in other case; a later delivery has corrected and new people."""
    shop, later, branch = (read(root / path) for path in (SHOP_ONE, SHOP_TWO, BRANCH_ONE))
    known, written = set(column(shop, "Email")), set(column(branch, "E-Mail"))
    assert len({cell.lower() for cell in written} & known) >= 5
    assert not written & known - {""}
    number_only = [row for row in branch if len(row) == len(branch[0]) and row[0].startswith("017") and not row[1]]
    assert len(number_only) >= 5
    assert len(set(column(later, "Email")) & known) > 20
    assert len(set(column(later, "Email")) - known) > 8
    before = {row[0]: row[3] for row in shop if len(row) == len(shop[0])}
    assert any(row[3] != before.get(row[0], row[3]) for row in later)


def test_one_address_with_several_numbers(root: Path) -> None:
    """A customer of the web shop has two other numbers at the branch, under the same address."""
    shop, branch = read(root / SHOP_ONE), read(root / BRANCH_ONE)
    numbers = {row[1] for row in shop if row[0] == demo.VERA}
    cards = {row[0] for row in branch if row[1:2] and row[1].lower() == demo.VERA}
    assert (len(numbers), len(cards), numbers & cards) == (1, 2, set())


def test_the_couple(tmp_path: Path) -> None:
    """A couple with one address is in every file of the branch, each of them with a total that rises."""
    demo.write_demo_files(tmp_path)
    totals = []
    for path in (BRANCH_ONE, BRANCH_TWO, BRANCH_THREE):
        rows = {row[0]: row for row in read(tmp_path / path)}
        karin, jens = (rows[card] for card in demo.COUPLE)
        assert karin[1] == jens[1]
        assert karin[2] != jens[2]
        totals.append([Decimal(row[4].replace(",", ".")) for row in (karin, jens)])
        demo.deliver_corrections(tmp_path)
    karins, jenss = zip(*totals, strict=True)
    assert (sorted(set(karins)), sorted(set(jenss))) == (list(karins), list(jenss))


def test_the_last_rows_of_the_couple(tmp_path: Path) -> None:
    """What the check of the couple expects is what the branch's last file says."""
    demo.write_demo_files(tmp_path)
    demo.deliver_corrections(tmp_path)
    rows = {row[0]: row for row in read(tmp_path / BRANCH_THREE)}
    found = [(card, rows[card][2], Decimal(rows[card][4].replace(",", "."))) for card in demo.COUPLE]
    assert demo.last_rows_of_couple(tmp_path) == found


def test_sums(root: Path) -> None:
    """Several people have more than one order."""
    people = [email.lower() for email in column(read(root / ORDERS), "Email")]
    assert len(people) - len(set(people)) > 8


def test_lines_of_orders(root: Path) -> None:
    """The prices of an order's lines add up to its amount; a few lines are of orders that are not there."""
    orders, lines = read(root / ORDERS), read(root / LINES)
    amounts = {row[0]: row[2] for row in orders[1:] if len(row) == len(orders[0]) and row[0] < "A-9003"}
    paid: dict[str, Decimal] = defaultdict(Decimal)
    for order, _, _, quantity, price in lines[1:]:
        paid[order] += Decimal(price) * (int(quantity) if order in amounts else 1)
    assert {order: Decimal(amount) for order, amount in amounts.items()}.items() - paid.items() == {
        ("A-9002", Decimal("5.10"))  # an order without lines
    }
    assert "A-9999" in paid.keys() - {row[0] for row in orders}


def test_corrections(tmp_path: Path) -> None:
    """The second act corrects rows of the last file, keeps the others, appends rows, and adds the next day's files."""
    demo.write_demo_files(tmp_path)
    before, modified_at = read(tmp_path / SHOP_TWO), (tmp_path / SHOP_TWO).stat().st_mtime
    lines = read(tmp_path / LINES)
    rewritten, added, corrected_lines, branch = demo.deliver_corrections(tmp_path)
    expected = [tmp_path / path for path in (SHOP_TWO, SHOP_THREE, LINES, BRANCH_THREE)]
    assert [rewritten, added, corrected_lines, branch] == expected
    assert [row[0] for row, now in zip(lines, read(corrected_lines), strict=True) if row != now] == ["A-9001"]
    assert added.stat().st_mtime > rewritten.stat().st_mtime > modified_at
    after = read(rewritten)
    corrected = [row for row in before if row not in after]
    assert 3 < len(corrected) < len(before) / 2
    assert len(after) == len(before) + 4
    assert not {row[0] for row in after[len(before) :]} & {row[0] for row in before}


def test_a_first_order(tmp_path: Path) -> None:
    """The order of each demonstration is of a customer who is in the last file of customers, and has not ordered."""
    demo.write_demo_files(tmp_path)
    for customers, orders in ((SHOP_TWO, ORDERS), (SHOP_THREE, "webshop/inbox/orders_2026-01-07.csv")):
        before = column(read(tmp_path / orders), "Email")
        delivered = deliver_first_order(tmp_path)
        (customer,) = column(read(delivered), "Email")
        assert customer in column(read(tmp_path / customers), "Email")
        assert customer not in before
        assert delivered > tmp_path / orders
        demo.deliver_corrections(tmp_path)


def test_invented_addresses(root: Path) -> None:
    """All addresses are in domains that are reserved for examples."""
    for path in FILES:
        rows = read(root / path)
        cells = (cell for row in rows for cell in row if "@" in cell)
        assert {cell.lower().rpartition("@")[2] for cell in cells} <= {"example.com", "example.org", "example.net"}
