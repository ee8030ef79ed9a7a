"""Demonstration input: what a web shop and a branch office deliver, with everything that goes wrong in real files.

The people are invented; their addresses end in example.com, .org and .net. Same seed, same bytes. Most rows come from
Faker; the oddities are tables below, so that each can be found in the files and looked up here.
"""

import csv
import gzip
import io
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faker import Faker

Row = tuple[str, ...]

FIRST_DAY = date(2026, 1, 5)
SHOP = "webshop/inbox"
BRANCH = "filiale/inbox"
OUTBOX = "mailing/outbox"

SHOP_HEADER = (
    *("Email", "CustomerNumber", "FirstName", "LastName", "Orders"),
    *("Total", "Interests", "Birthday", "LastSeen", "Newsletter"),
)
ORDERS_HEADER = ("OrderId", "Email", "Amount", "OrderedAt")
LINES_HEADER = ("OrderId", "Sku", "Product", "Quantity", "NetPrice")
CONSENTS_HEADER = ("Email", "Zone", "Agreed", "Refused")
BRANCH_HEADER = ("Kundennummer", "E-Mail", "Vorname", "Nachname", "Umsatz", "Geburtstag", "Interessen")
STORES_HEADER = ("Filiale", "Ort", "Eröffnet")

PRODUCTS = (("S-01", "Tea"), ("S-02", "Coffee"), ("S-03", "Teapot"), ("S-04", "Cup"), ("S-05", "Notebook"))
STORES: tuple[Row, ...] = (
    ("B1", "Berlin", "01.03.2004"),
    ("H1", "Hamburg", "15.09.2011"),
    ("M1", "München", "31.02.1998"),  # there is no such day
)

_ADA = ("ada.quill@example.com", "0171900", "Ada", "Quill", "4", "80.00", "art", "1971-04-02", "2026-01-04 09:00:00")
_BEN = ("ben.stone@example.org", "0171901", "Ben", "Stone", "1", "12.50", "music", "1988-12-24", "2026-01-03 18:30:00")

VERA = "vera.sommer@example.org"
"""A customer of the web shop who has two cards of the branch: three numbers, one address."""
COUPLE = ("0172914", "0172915")
"""Cards of a couple, who gave the branch one address."""

SHOP_ODDITIES: dict[str, tuple[Row, ...]] = {
    "people that later rows mix up": ((*_ADA, "true"), (*_BEN, "false")),
    "exact duplicates": (
        ("twin@example.com", "0171902", "Tessa", "Twin", "2", "40.00", "", "1990-01-31", "2026-01-02 08:00:00", "true"),
        ("twin@example.com", "0171902", "Tessa", "Twin", "2", "40.00", "", "1990-01-31", "2026-01-02 08:00:00", "true"),
    ),
    "one person, different values": (
        ("Moved@example.com", "0171903", "Mo", "Ved", "3", "45.10", "", "1969-07-20", "2026-01-01 10:00:00", "true"),
        ("moved@example.com", "0171903", "Maurice", "Ved", "5", "", "food", "", "2026-01-04 10:00:00", "false"),
    ),
    "too few fields": (("short@example.com", "0171904", "Shorty"),),
    "too many fields": ((*_BEN, "true", "surplus", "more of it"),),
    "no number": (
        ("count@example.net", "0171905", "Count", "Less", "n/a", "10.00", "", "1955-05-05", "", "true"),
        ("comma@example.net", "0171906", "Carl", "Comma", "7", "1.234,56", "", "1956-06-06", "", "false"),
    ),
    "impossible date": (
        ("leap@example.net", "0171907", "Lea", "Year", "1", "9.99", "", "1990-02-31", "2026-01-04 24:61:00", "true"),
    ),
    "nobody": (
        ("", "", "No", "Address", "1", "5.00", "", "", "", "true"),
        ("unknown", "N/A", "Not", "Known", "1", "5.00", "", "", "", "false"),
        ("Anonymous", "0000", "Some", "Guest", "1", "5.00", "", "", "", "false"),
    ),
    "quoted newline": (
        ("lines@example.org", "0171908", "Line\nBreak", "Walker", "1", "3.00", "", "1980-08-08", "", "true"),
    ),
    "awkward names": (
        ("miles.obrien@example.org", "0171909", "Miles", "O'Brien", "6", "61.00", "", "1962-09-01", "", "true"),
        ("zoe@example.org", "0171910", "Zoë", "Brontë-Núñez", "2", "20.20", "", "1993-03-03", "", "true"),
        ("smith.jr@example.org", "0171911", "John", "Smith, Jr.", "2", "22.00", "", "1994-04-04", "", "false"),
        ("quote@example.org", "0171912", 'Anne "Annie"', "Bell", "2", "22.00", "", "1995-05-05", "", "false"),
    ),
    "numbers that are text": (
        ("phone@example.net", "+44 171 555 0199", "Phil", "Phone", "1", "1.00", "", "1977-07-07", "", "true"),
        ("postal@example.net", "0171", "Posy", "Postal", "1", "1.00", "0171;01099", "1978-08-08", "", "true"),
    ),
    "a customer of the branch as well": (
        (VERA, "0171913", "Vera", "Sommer", "12", "96.00", "books", "1979-05-17", "2026-01-04 17:00:00", "true"),
    ),
}
"""Rows of the web shop's first delivery, by what is odd about them."""

LATER_SHOP_ODDITIES: dict[str, tuple[Row, ...]] = {
    "ambiguous": (
        (*_ADA[:1], *_BEN[1:2], "Ada", "Quill", "5", "95.00", "", "", "2026-01-05 12:00:00", "true"),
        (*_BEN[:1], *_ADA[1:2], "Ben", "Stone", "2", "30.00", "", "", "2026-01-05 13:00:00", "true"),
    ),
}
"""Rows of its later deliveries: address and number belong to two people that are known by then."""

ORDER_ODDITIES: dict[str, tuple[Row, ...]] = {
    "several orders of one person": (
        ("A-9001", _ADA[0], "19.90", "2026-01-05T08:15:00+00:00"),
        ("A-9002", "ADA.QUILL@example.com", "5.10", "2026-01-05T21:40:00+00:00"),
    ),
    "exact duplicates": (("A-9003", _BEN[0], "7.00", "2026-01-05T09:00:00+00:00"),) * 2,
    "no number": (
        ("A-9004", _BEN[0], "n/a", "2026-01-05T10:00:00+00:00"),
        ("A-9005", _BEN[0], "1.234,56", "2026-01-05T11:00:00+00:00"),
    ),
    "nobody": (("A-9006", "unknown", "15.00", "2026-01-05T12:00:00+00:00"),),
    "too few fields": (("A-9007", _BEN[0]),),
}
"""Rows of each file of orders."""

LINE_ODDITIES: dict[str, tuple[Row, ...]] = {
    "lines of one order": (("A-9001", "S-01", "Tea", "1", "12.00"), ("A-9001", "S-04", "Cup", "2", "3.95")),
    "an order that never arrives": (("A-9999", "S-02", "Coffee", "1", "6.90"),),
    "no number": (("A-9003", "S-05", "Notebook", "two", "3.50"),),
    "nothing names it": (("A-9003", "", "Notebook", "1", "3.50"),),
}
"""Rows of each file of order lines."""


def _couple(day: int) -> tuple[Row, ...]:
    """Return the rows of the couple, who buy something every day."""
    karin, jens = COUPLE
    return (
        (karin, "behrens@example.net", "Karin", "Behrens", f"{60 + 5 * day},00", "12.06.1966", "Garten"),
        (jens, "behrens@example.net", "Jens", "Behrens", f"{20 + 2 * day},50", "30.10.1963", "Wein"),
    )


BRANCH_ODDITIES: dict[str, tuple[Row, ...]] = {
    "exact duplicates": (("0172902", "doppelt@example.net", "Dora", "Doppel", "12,00", "01.02.1983", "Garten"),) * 2,
    "one person, different values": (
        ("0172903", "umzug@example.net", "Uwe", "Alt", "100,00", "03.03.1973", "Garten|Möbel"),
        ("0172903", "UMZUG@example.net", "Uwe", "Neu", "150,50", "", "Küche"),
    ),
    "customer number only": (
        ("0172904", "", "Jörg", "Müßig", "77,70", "09.09.1969", "Bücher"),
        (_ADA[1], "", "Ada", "Quill", "20,00", "02.04.1971", "Küche"),
    ),
    "too few fields": (("0172905", "kurz@example.net"),),
    "too many fields": (("0172906", "lang@example.net", "Lena", "Lang", "1,00", "06.06.1976", "Bad", "zu viel"),),
    "no number": (
        ("0172907", "ka@example.net", "Karl", "Angabe", "n/a", "07.07.1977", ""),
        ("0172908", "punkt@example.net", "Petra", "Punkt", "1,234.56", "08.08.1978", ""),
    ),
    "impossible date": (("0172909", "februar@example.net", "Fritz", "Februar", "5,00", "31.02.1990", ""),),
    "nobody": (
        ("-", "", "Ohne", "Nummer", "1,00", "", ""),
        ("unknown", "", "Un", "Bekannt", "1,00", "", ""),
        ("0000", "", "Lauf", "Kunde", "1,00", "", ""),
    ),
    "awkward names": (
        ("0172910", "dangelo@example.net", "Chloé", "D'Angelo", "3,00", "10.10.1980", ""),
        ("0172911", "graf@example.net", "Götz", "Graf; von Öhningen", "4,00", "11.11.1981", "Wein|Käse"),
    ),
    "a customer of the web shop, with two cards": (
        ("0172912", VERA.capitalize(), "Vera", "Sommer-Kühn", "59,90", "17.05.1979", "Garten|Wein"),
        ("0172913", VERA.upper(), "Vera", "Sommer-Kühn", "40,10", "17.05.1979", "Küche"),
    ),
    "a couple with one address": _couple(0),
}
"""Rows of the branch office's first delivery."""


@dataclass(frozen=True)
class Person:
    """An invented customer."""

    email: str
    number: str
    first_name: str
    last_name: str
    birthday: date


@dataclass(frozen=True)
class Delivery:
    """One file: where it goes, what is in it, how it is written, when it was delivered."""

    path: str
    header: Row
    rows: Sequence[Row]
    delivered_at: datetime
    separator: str = ","
    newline: str = "\n"
    encoding: str = "utf-8"

    def write(self, root: Path) -> Path:
        """Write it below root, compressed where its name says so."""
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self.separator, lineterminator=self.newline)
        writer.writerows([self.header, *self.rows])
        content = text.getvalue().encode(self.encoding)
        target = root / self.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(gzip.compress(content, mtime=0) if target.suffix == ".gz" else content)
        os.utime(target, (self.delivered_at.timestamp(), self.delivered_at.timestamp()))
        return target


def write_demo_files(root: Path, *, seed: int = 20260101, rounds: int = 1) -> list[Path]:
    """Write the first deliveries and as many daily rounds of later ones; return the files, oldest first."""
    (root / OUTBOX).mkdir(parents=True, exist_ok=True)
    deliveries = [_stores_file(), _branch_file(seed, 0), _shop_file(seed, 0)]
    for day in range(1, rounds + 1):
        deliveries += [
            _branch_file(seed, day),
            _shop_file(seed, day),
            _orders_file(seed, day),
            _lines_file(seed, day),
            _consents_file(seed, day),
        ]
    return [delivery.write(root) for delivery in deliveries]


def deliver_corrections(root: Path, *, seed: int = 20260101) -> list[Path]:
    """Write the last web shop file once more, corrected and longer, corrected order lines, and the next day's files.

    Args:
        root: Where `write_demo_files` wrote.
        seed: The seed it was given.
    """
    day, lines, branch = (
        last_day(root, each) for each in (f"{SHOP}/customers", f"{SHOP}/order_lines", f"{BRANCH}/kunden")
    )
    shop_files = _shop_file(seed, day, corrected=True), _shop_file(seed, day + 1)
    others = _lines_file(seed, lines, corrected=True), _branch_file(seed, branch + 1)
    return [each.write(root) for each in (*shop_files, *others)]


def last_rows_of_couple(root: Path) -> list[tuple[str, str, Decimal]]:
    """Return card, first name and total of both, as the branch's last file has them.

    Args:
        root: Where `write_demo_files` wrote.
    """
    rows = _couple(last_day(root, f"{BRANCH}/kunden"))
    return [(card, name, Decimal(total.replace(",", "."))) for card, _, name, _, total, *_ in rows]


def last_day(root: Path, path: str) -> int:
    """Return the day of the last file whose path begins so, counted from the first day."""
    last = max(root.glob(f"{path}_*.csv*"))
    return (date.fromisoformat(last.name.partition(".")[0].rpartition("_")[2]) - FIRST_DAY).days


def _shop_file(seed: int, day: int, *, corrected: bool = False) -> Delivery:
    rows, oddities = _shop_rows(seed, day), _flat((LATER_SHOP_ODDITIES if day else SHOP_ODDITIES).values())
    rows = _corrected(rows) + oddities + _shop_rows(seed, day + 1)[-4:] if corrected else rows + oddities
    at = instant(day, hour=18 if corrected else 6)
    return Delivery(f"{SHOP}/customers_{at:%Y-%m-%d}.csv", SHOP_HEADER, rows, at)


def _orders_file(seed: int, day: int) -> Delivery:
    at = instant(day, hour=7)
    rows = _flat(ORDER_ODDITIES.values()) + _orders(seed, day)
    return Delivery(f"{SHOP}/orders_{at:%Y-%m-%d}.csv", ORDERS_HEADER, rows, at)


def _orders(seed: int, day: int) -> list[Row]:
    """Return an order of each person, and a second one of every fourth."""
    fake = faker(seed, "en_GB", "orders", day)
    rows: list[Row] = []
    for number, person in enumerate(shop_people(seed, day - 1) + shop_people(seed, day - 1)[::4]):
        ordered = instant(day - 1, hour=7) + timedelta(seconds=fake.random_int(0, 60_000))
        rows.append((f"A-{day:02}{number:03}", person.email, _cents(fake, 9_900), ordered.isoformat()))
    return rows


def _lines_file(seed: int, day: int, *, corrected: bool = False) -> Delivery:
    """Return one to three lines of each order, whose prices add up to its amount; corrected is one price of the first.

    The lines are delivered before the orders.
    """
    fake = faker(seed, "en_GB", "order lines", day)
    rows = _flat(LINE_ODDITIES.values())
    if corrected:
        rows[1] = (*rows[1][:3], "4", rows[1][4])
    for order, _, amount, _ in _orders(seed, day):
        bought = fake.random_elements(PRODUCTS, unique=True, length=fake.random_int(1, 3))
        cents = round(float(amount) * 100)
        shares = [cents // len(bought)] * (len(bought) - 1)
        prices = [f"{each / 100:.2f}" for each in (*shares, cents - sum(shares))]
        rows += [(order, *product, "1", price) for product, price in zip(bought, prices, strict=True)]
    at = instant(day, hour=18) + timedelta(hours=1) if corrected else instant(day, hour=7) + timedelta(minutes=30)
    return Delivery(f"{SHOP}/order_lines_{at:%Y-%m-%d}.csv", LINES_HEADER, rows, at)


def _stores_file() -> Delivery:
    at = instant(0, hour=4)
    path = f"{BRANCH}/filialen_{at:%Y-%m-%d}.csv"
    return Delivery(path, STORES_HEADER, STORES, at, separator=";", newline="\r\n", encoding="latin-1")


def _consents_file(seed: int, day: int) -> Delivery:
    """Return what customers said of the newsletter: two of three agreed, some refused, the others were never asked."""
    agreed, refused, unasked = ("newsletter", ""), ("", "newsletter"), ("", "")
    answers = (agreed, agreed, unasked, agreed, agreed, refused)
    people = shop_people(seed, day - 1)
    rows = [(person.email, "UK_GDPR", *answers[place % len(answers)]) for place, person in enumerate(people)]
    at = instant(day, hour=8)
    return Delivery(f"{SHOP}/consents_{at:%Y-%m-%d}.csv", CONSENTS_HEADER, rows, at)


def _branch_file(seed: int, day: int) -> Delivery:
    rows = _branch_rows(seed, day) + (list(_couple(day)) if day else _flat(BRANCH_ODDITIES.values()))
    at = instant(day, hour=5)
    path = f"{BRANCH}/kunden_{at:%Y-%m-%d}.csv" + (".gz" if day else "")
    return Delivery(path, BRANCH_HEADER, rows, at, separator=";", newline="\r\n", encoding="latin-1")


def _shop_rows(seed: int, day: int) -> list[Row]:
    """Return a row per person: most are those of the day before, with newer figures."""
    fake = faker(seed, "en_GB", "shop", day)
    rows: list[Row] = []
    for person in shop_people(seed, day):
        seen = instant(day, hour=0) - timedelta(seconds=fake.random_int(1, 800_000))
        liked = fake.random_elements(("art", "books", "garden", "kitchen", "music", "sport"), unique=True, length=2)
        last_name = fake.last_name() if day and fake.boolean(15) else person.last_name
        names = (person.email, person.number, person.first_name, last_name)
        figures = (str(fake.random_int(0, 40)), _cents(fake, 90_000), ";".join(liked), person.birthday.isoformat())
        rows.append((*names, *figures, f"{seen:%Y-%m-%d %H:%M:%S}", str(fake.boolean()).lower()))
    return rows


def _branch_rows(seed: int, day: int) -> list[Row]:
    """Return a row per person; every fifth is known by customer number only."""
    fake = faker(seed, "de_DE", "branch", day)
    rows: list[Row] = []
    for place, person in enumerate(_branch_people(seed, day)):
        email = "" if place % 5 == 4 else person.email.capitalize()
        liked = fake.random_elements(("Bücher", "Garten", "Küche", "Möbel", "Wein"), unique=True, length=2)
        turnover = _cents(fake, 200_000).replace(".", ",")
        names = (person.number, email, person.first_name, person.last_name)
        rows.append((*names, turnover, f"{person.birthday:%d.%m.%Y}", "|".join(liked)))
    return rows


def _corrected(rows: Sequence[Row]) -> list[Row]:
    """Return the rows, every sixth with another last name and total; the others as they were."""
    return [
        (*row[:3], f"{row[3]}-Smith", row[4], f"{float(row[5]) + 10:.2f}", *row[6:]) if place % 6 == 3 else row
        for place, row in enumerate(rows)
    ]


def shop_people(seed: int, day: int) -> list[Person]:
    """Return the people of a day's delivery: each day twelve leave and twelve come."""
    return invented_people(seed, "en_GB", "0171", 40 + 12 * day)[12 * day :]


def _branch_people(seed: int, day: int) -> list[Person]:
    """Return the people of a day's delivery, some of them customers of the web shop."""
    return shop_people(seed, day)[::4] + invented_people(seed, "de_DE", "0172", 25 + 8 * day)[8 * day :]


def invented_people(seed: int, locale: str, prefix: str, count: int) -> list[Person]:
    """Return so many people; numbers begin with the prefix, and the same call invents the same people."""
    fake = faker(seed, locale, "people", 0)
    return [_person(fake, f"{prefix}{number:03}") for number in range(count)]


def _person(fake: "Faker", number: str) -> Person:
    first_name, last_name = fake.first_name(), fake.last_name()
    plain = unicodedata.normalize("NFKD", f"{first_name}.{last_name}").encode("ascii", "ignore").decode().lower()
    domain = fake.random_element(("example.com", "example.org", "example.net"))
    email = f"{re.sub(r'[^a-z.]', '', plain)}{number[-3:]}@{domain}"
    return Person(email, number, first_name, last_name, fake.date_between(date(1940, 1, 1), date(2007, 12, 31)))


def faker(seed: int, locale: str, *purpose: object) -> "Faker":
    """Return a source of inventions of its own for each purpose."""
    from faker import Faker

    fake = Faker(locale)
    fake.seed_instance(f"{seed} {locale} {purpose}")
    return fake


def _cents(fake: "Faker", most: int) -> str:
    return f"{fake.random_int(100, most) / 100:.2f}"


def instant(day: int, *, hour: int) -> datetime:
    """Return an hour, in UTC, of a day that is counted from the first one."""
    return datetime.combine(FIRST_DAY, time(hour), UTC) + timedelta(days=day)


def _flat(tables: Iterable[Sequence[Row]]) -> list[Row]:
    return [row for rows in tables for row in rows]
