"""Each processor: what it makes of cells and rows."""

import hmac
import re
from typing import Any

import pytest
from pydantic import ValidationError

from cdp_sync.errors import ProcessorFailed, SecretMissing
from cdp_sync.model.processor import Processor
from cdp_sync.processing.chain import _ON_TABLES
from cdp_sync.processing.expressions import EXPRESSIONS
from cdp_sync_tests.oracle import processing as oracle
from cdp_sync_tests.oracle.processing import ACROSS, EACH
from cdp_sync_tests.processing.rows import NOW, one, processors, run


def test_every_processor_has_its_work() -> None:
    """Every processor that can be declared is an expression, a filter or a statement, and stands in the oracle."""
    models = {name: field.annotation for name, field in Processor.model_fields.items()}
    work = {kind.__name__ for kind in (*EXPRESSIONS, *_ON_TABLES)} | {"Filter"}
    assert {str(model).partition(" | ")[0].rpartition(".")[2].removesuffix("'>") for model in models.values()} == work
    assert models.keys() == {*EACH, *ACROSS}


@pytest.mark.parametrize(
    ("to", "cell", "expected"),
    [
        ("lower", "ANN Ä", "ann ä"),
        ("upper", "ann ä", "ANN Ä"),
        ("first", "éMILE zola", "Émile zola"),
        ("words", "ann MARIE  o'neill", "Ann Marie  O'neill"),
        ("words", "", ""),
        ("lower", None, None),
    ],
)
def test_casing(to: str, cell: str | None, expected: str | None) -> None:
    """Upper and lower case, of all letters, the first one, or that of each word."""
    assert one(cell, {"casing": {"field": "f", "to": to}}) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (" Ann@GMIAL.com ", "ann@gmail.com"),
        ("Ann Smith <ann@hotmial.com>", "ann@hotmail.com"),
        ("ann @ example.org", "ann@example.org"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@shop.exmaple", "ann@shop.example"),
        ("no address", "no address"),
        ("", ""),
        (None, None),
    ],
)
def test_clean_email(cell: str | None, expected: str | None) -> None:
    """An address becomes what imports store, and typing errors in domains are corrected; other text stays."""
    declared = {"field": "f", "correct_domains": True, "domains": {"shop.exmaple": "shop.example"}}
    assert one(cell, {"clean_email": declared}) == expected


def test_domains_are_left_alone_unless_asked_for() -> None:
    """Without `correct_domains`, a domain stays as it was typed."""
    assert one("ann@gmial.com", {"clean_email": {"field": "f"}}) == "ann@gmial.com"


@pytest.mark.parametrize(
    ("options", "cell", "expected"),
    [
        ({}, "M", "man"),
        ({}, "m", "m"),
        ({"any_case": True}, "m", "man"),
        ({}, None, "unknown"),
        ({}, "X", None),
        ({"others": "clear"}, "Q", None),
        ({"separator": "|"}, "M| X |Q", "man|Q"),
        ({"separator": "|", "others": "clear"}, "Q|M", "man"),
        ({"separator": "|"}, None, None),
    ],
)
def test_convert_values(options: dict[str, Any], cell: str | None, expected: str | None) -> None:
    """Values are replaced, in a cell or among several of a cell; others stay or are removed."""
    values = {"M": "man", "": "unknown", "X": ""} if "separator" not in options else {"M": "man", "X": ""}
    assert one(cell, {"convert_values": {"field": "f", "values": values, **options}}) == expected


def test_filter_keeps_or_drops() -> None:
    """Rows stay or go by a regular expression that may occur anywhere in the cell; an empty cell is an empty text."""
    rows = [["NL"], ["BE"], [None], ["NL-north"]]
    assert run(["f"], rows, {"filter": {"field": "f", "keep": "^NL"}}).kept == [True, False, False, True]
    assert run(["f"], rows, {"filter": {"field": "f", "drop": "^(NL|)$"}}).kept == [False, True, False, True]


def test_remove_nulls() -> None:
    """Words for no value are removed from all fields, or from some."""
    rows = [["null", "NULL", "nullify"], ["N/A", "x", None]]
    assert run("abc", rows, {"remove_nulls": {}}).rows == [(None, None, "nullify"), ("N/A", "x", None)]
    declared = {"remove_nulls": {"field": ["a"], "words": ["n/a"]}}
    assert run("abc", rows, declared).rows == [("null", "NULL", "nullify"), (None, "x", None)]


def test_first_rows_counts_those_that_are_left() -> None:
    """The first rows are counted after earlier processors dropped some."""
    rows = [["a"], ["b"], ["c"], ["d"]]
    declared = {"filter": {"field": "f", "drop": "b"}}, {"first_rows": {"rows": 2}}
    assert run(["f"], rows, *declared).kept == [True, False, True, False]


def test_add_value_and_date() -> None:
    """A text and the date of the run become fields; the date does not count where rows are compared."""
    zone = {"field": "day", "format": "%d/%m/%Y", "time_zone": "Europe/Amsterdam"}
    done = run(["f"], [["x"]], {"add_value": {"field": "from", "value": "fair"}}, {"add_date": zone})
    assert (done.fields, done.rows) == (("f", "from", "day"), [("x", "fair", "03/01/2026")])
    assert done.compared == [("x", "fair", "")]


def test_what_is_made_of_the_date_does_not_count_either() -> None:
    """A field that depends on the day of the run is compared without it, and with all else that it is made of."""
    declared = {"add_date": {"field": "day"}}, {"concatenate": {"fields": ["f", "day"], "into": "g", "separator": "/"}}
    done = run(["f"], [["x"], ["y"]], *declared, {"casing": {"field": "g", "to": "upper"}})
    assert done.rows == [("x", "2026-01-02", "X/2026-01-02"), ("y", "2026-01-02", "Y/2026-01-02")]
    assert done.compared == [("x", "", "X"), ("y", "", "Y")]


def test_concatenate_leaves_out_what_is_empty() -> None:
    """Cells that are empty leave no separator; nothing at all is an empty cell."""
    declared = {"concatenate": {"fields": ["a", "b", "c"], "into": "name"}}
    rows = [["Ann", "", "Lee"], [None, None, None]]
    assert [row[3] for row in run("abc", rows, declared).rows] == ["Ann Lee", None]


def test_split_gives_the_last_field_the_rest() -> None:
    """Parts are trimmed, missing ones are empty, and nothing is lost where there are more parts than fields."""
    declared = {"split": {"field": "f", "separator": ",", "into": ["x", "y"]}}
    rows = [["a, b ,c"], ["a"], [None], [" , b"]]
    assert [row[1:] for row in run(["f"], rows, declared).rows] == [
        ("a", "b ,c"),
        ("a", None),
        (None, None),
        (None, "b"),
    ]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("31-12-2025", "2025/12/31 00:00"),
        (" 1-2-2025 ", "2025/02/01 00:00"),
        ("2025-12-31T10:00:00", "2025/12/31 10:00"),
        ("2025-12-31T23:30:00.123456789+02:00", "2025/12/31 23:30"),
        ("2025-12-31 23:30-0330", "2025/12/31 23:30"),
        ("1700000000", "2023/11/15 07:13"),
        ("31-12-25", "1925/12/31 00:00"),
        ("Mon 31-12-2025", "Mon 31-12-2025"),
        ("Wed 31-12-2025", "2025/12/31 00:00"),
        ("31-12-2025 10", "31-12-2025 10"),
        ("2025-12-31 later", "2025-12-31 later"),
        ("2025-02-29", "2025-02-29"),
        ("99999999999999", "99999999999999"),
        ("31-13-2025", "31-13-2025"),
        ("soon", "soon"),
        (" ", " "),
        (None, None),
    ],
)
def test_convert_dates(cell: str | None, expected: str | None) -> None:
    """The first format that fits counts. What imports would not read stays, and an offset does not move the clock."""
    formats = ["%d-%m-%Y", "%d-%m-%y", "%a %d-%m-%Y", "iso", "epoch_seconds"]
    declared = {"field": "f", "from": formats, "to": "%Y/%m/%d %H:%M", "century_pivot": 24, "time_zone": "Asia/Tokyo"}
    assert one(cell, {"convert_dates": declared}) == expected
    rows: list[dict[str, str | None]] = [{"f": cell}]
    oracle.process(rows, processors([{"convert_dates": declared}]), NOW)
    assert rows == [{"f": expected}]


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        ({"from": ["day"]}, "found 'day'; allowed are strptime patterns"),
        ({"from": ["%d %Z"]}, "found %Z"),
        ({"from": ["%Q"]}, "found %Q; allowed are %Y"),
        ({"from": ["iso"], "to": "%Q"}, "found %Q; allowed are %Y"),
        ({"from": ["iso"], "to": "%H:%M%z"}, "found %z; the offset of a cell is not kept"),
    ],
)
def test_patterns_that_no_import_has(dates: dict[str, Any], words: str) -> None:
    """Patterns are those of imports; an offset that a cell does not have cannot be written."""
    with pytest.raises(ValidationError, match=re.escape(words)):
        processors([{"convert_dates": {"field": "f", **dates}}])


@pytest.mark.parametrize(
    ("number", "country", "expected"),
    [
        ("020 123 4567", "nl", "+31201234567"),
        ("(0)20-1234567", None, "+31201234567"),
        ("0031 20 1234567", "US", "+31201234567"),
        ("(650) 253-0000", "US", "+16502530000"),
        ("12", "NL", "12"),
        ("020 123 4567", "??", "020 123 4567"),
        (None, "NL", None),
    ],
)
def test_clean_phone(number: str | None, country: str | None, expected: str | None) -> None:
    """A number is written in E.164 by the row's country or the goal's; what is no number stays."""
    declared = {"clean_phone": {"field": "phone", "country": "NL", "country_field": "country"}}
    [(found, _)] = run(["phone", "country"], [[number, country]], declared).rows
    assert found == expected


def test_clean_phone_can_clear_what_is_no_number() -> None:
    """With `invalid: clear`, a cell that is no telephone number is emptied."""
    assert one("12", {"clean_phone": {"field": "f", "country": "NL", "invalid": "clear"}}) is None


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("JAN  VAN DER BERG-DE VRIES", "Jan van der Berg-De Vries"),
        ("o'brien", "O'Brien"),
        ("van dam", "Van Dam"),
        ("McDonald ", "McDonald"),
        ("\u200b ", None),
        (None, None),
    ],
)
def test_clean_name(cell: str | None, expected: str | None) -> None:
    """A name in one case gets its capitals, one in both keeps them, and white space becomes single spaces."""
    assert one(cell, {"clean_name": {"field": "f"}}) == expected


def test_drop_duplicates() -> None:
    """One of the rows with the same cells stays; rows without a value in the fields all stay."""
    rows = [["a", "1"], [None, "2"], ["a", "3"], ["", "4"], ["b", "5"]]
    first = run("kv", rows, {"drop_duplicates": {"field": "k"}})
    last = run("kv", rows, {"drop_duplicates": {"field": "k", "keep": "last"}})
    assert [row[1] for row in first.left] == ["1", "2", "4", "5"]
    assert [row[1] for row in last.left] == ["2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (" John_Smith@Gmail.com", "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"),
        ("16505551212", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
        (" ", None),
        (None, None),
    ],
)
def test_hash_gives_what_advertising_platforms_document(cell: str | None, expected: str | None) -> None:
    """The examples of Meta's "Customer information parameters": trimmed, in lower case, SHA-256 in hexadecimal."""
    assert one(cell, {"hash": {"field": "f"}}) == expected


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("md5", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ],
)
def test_hash_algorithms(algorithm: str, expected: str) -> None:
    """The test vectors of RFC 1321 and FIPS 180-4 for `abc`; without `normalize`, case counts."""
    assert one("abc", {"hash": {"field": "f", "algorithm": algorithm, "normalize": False}}) == expected
    assert one("ABC", {"hash": {"field": "f", "algorithm": algorithm}}) == expected
    assert one("ABC", {"hash": {"field": "f", "algorithm": algorithm, "normalize": False}}) != expected


def test_pseudonyms_are_keyed_digests() -> None:
    """A pseudonym is HMAC-SHA256 of the normalized value; the same value gets the same one."""
    declared = {"pseudonymize": {"field": "f", "key_env": "KEY"}}
    expected = hmac.new(b"secret", b"ann@example.com", "sha256").hexdigest()
    assert one(" Ann@Example.com", declared, KEY="secret") == expected
    assert one("ann@example.com", declared, KEY="other") != expected
    long = "k" * 65  # longer than a block: the key is hashed first
    assert one("x", declared, KEY=long) == hmac.new(long.encode(), b"x", "sha256").hexdigest()


def test_pseudonyms_are_found_by_themselves() -> None:
    """Without a field, addresses and telephone numbers get pseudonyms wherever they stand; dates and amounts do not."""
    cells = ["ann@example.com", "+31 20 123 4567", "06-12345678", "2026-01-31", "01-02-2026", "12.50", "Ann", None]
    (row,) = run([f"f{n}" for n in range(8)], [cells], {"pseudonymize": {"key_env": "KEY"}}, KEY="secret").rows
    assert [cell == before for cell, before in zip(row, cells, strict=True)] == [False] * 3 + [True] * 5


def test_pseudonyms_need_their_key() -> None:
    """Without the environment variable no row gets a pseudonym that anybody could work out."""
    with pytest.raises(SecretMissing, match="KEY is not set"):
        one("x", {"pseudonymize": {"field": "f", "key_env": "KEY"}})


def test_a_missing_field_is_named() -> None:
    """A processor that names a field which is not there is named with its place, the field and those there are."""
    with pytest.raises(ProcessorFailed, match=r'Processor 2 \(casing\) names "Nme".* Fields at that place: "f", "x"'):
        one("a", {"add_value": {"field": "x", "value": "1"}}, {"casing": {"field": "Nme", "to": "lower"}})
