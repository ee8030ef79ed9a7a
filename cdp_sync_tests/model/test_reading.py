"""Reading a defs.yaml: line numbers, duplicate keys, and values of closed lists."""

import pytest

from cdp_sync.model.reading import read_text, with_line

SHOP = """type: cdp_sync.components.SftpConnection
attributes:
  name: shop
  server: {host: h, username: u, password_env: P}
  import_profiles:
    - name: customers
      link: [{field: Email, property: email}]
      map:
        - {field: A, property: first_name, mode: set}
"""


def problems_of(text: str) -> list[str]:
    """Return the problems of a text with their lines."""
    return [with_line(problem, text) for problem in list(read_text(text).problems)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("  name: shop\n", "  name: shop\n  name: shop\n", "line 4: attributes.name: this key is already on line 3;"),
        ("type: cdp", "attributes: {}\ntype: cdp", "line 3: attributes: this key is already on line 1;"),
        ("host: h,", "host: h, host: i,", "line 4: attributes.server.host: this key is already on line 4;"),
        (
            "      map:\n",
            "      link: []\n      map:\n",
            "line 8: attributes.import_profiles[0].link: this key is already on line 7;",
        ),
        (
            "mode: set}",
            "mode: set,\n           mode: add}",
            "line 10: attributes.import_profiles[0].map[0].mode: this key is already on line 9;",
        ),
    ],
)
def test_a_duplicate_key_is_reported_with_both_lines(before: str, after: str, expected: str) -> None:
    """A duplicate key is reported with both lines, since YAML would keep only the last value."""
    text = SHOP.replace(before, after)
    assert [problem for problem in problems_of(text) if problem.startswith(expected)] != [], problems_of(text)
    assert problems_of(SHOP) == []


def test_merged_and_aliased_keys_are_not_duplicates() -> None:
    """A key that overrides a merged one is not a duplicate, nor are the keys of an alias."""
    merged = "base: &base {field: A, property: email}\nlink: [{<<: *base, field: B}, *base]\nloop: &loop [*loop]\n"
    assert list(read_text(f"type: other.Component\nattributes: {{}}\n{merged}").problems) == []


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "mode: set}",
            "mode: sett}",
            "line 9: {map}.mode: found 'sett'; did you mean 'set'? allowed: set, set_if_empty",
        ),
        ("name: shop", "name: My Shop", "line 3: attributes.name: "),
        ("username: u, ", "", "line 4: attributes.server.username: this key is needed"),
        ("      link: [{field: Email, property: email}]\n", "", "line 6: attributes.import_profiles[0].link: "),
        ("property: first_name, ", "propery: first_name, ", "line 9: {map}.propery: unknown key; did you mean 'prop"),
        ("SftpConnection", "SftpConection", "line 1: type: 'cdp_sync.components.SftpConection' is unknown; did you "),
        ("name: shop", "name: shop\n  schedule: {days_of_week: [mondy], at: '01:30'}", "did you mean 'monday'?"),
        ("map:", "format: {decimal: x}\n      map:", "found 'x'; allowed: ., ,"),
        ("map:", "format: {escape: x}\n      map:", "found 'x'; allowed: \\"),
        ("map:", "format: {time_zone: Europe/Amstredam}\n      map:", "did you mean 'Europe/Amsterdam'?"),
        ("name: shop\n", "name: [shop\n", "this is not valid YAML: "),
        ("name: shop\n", "name: sh\0op\n", "line 3: this is not valid YAML: it holds the character U+0000"),
    ],
)
def test_a_problem_has_its_line_and_a_hint(before: str, after: str, message: str) -> None:
    """A problem has the line of its key and a hint for a misspelt key or value."""
    text = SHOP.replace(before, after, 1)
    expected = message.replace("{map}", "attributes.import_profiles[0].map[0]")
    assert [problem for problem in problems_of(text) if expected in problem and problem.startswith("line ")] != [], (
        problems_of(text)
    )


@pytest.mark.parametrize("link", ["[{field: Email, property: 1}]", "[Email]", "[{field: Email, propety: email}]"])
def test_invalid_entries_are_not_missing_entries(link: str) -> None:
    """A list with invalid entries is not also reported as empty, and messages use the words of YAML."""
    problems = problems_of(SHOP.replace("[{field: Email, property: email}]", link))
    assert all(problem.startswith("line 7: attributes.import_profiles[0].link[0]") for problem in problems), problems
    assert problems
    assert not any("Input" in problem or "item" in problem for problem in problems), problems
    (empty,) = problems_of(SHOP.replace("[{field: Email, property: email}]", "[]"))
    assert empty.endswith("import_profiles[0].link: nothing says whose the rows are; needed is at least one")


def test_a_path_in_two_documents_has_both_lines() -> None:
    """A path that two documents have is reported with both lines."""
    text = SHOP + "---\n" + SHOP.replace("mode: set}", "mode: sett}")
    (problem,) = problems_of(text)
    assert problem.startswith("line 9 or 19: attributes.import_profiles[0].map[0].mode: found 'sett'")


def test_a_path_has_no_names_of_types() -> None:
    """The path of a problem has keys of the file only, without pydantic's names of types."""
    export = "  export_profiles:\n    - {name: b, segment: s, file: {name: x}, map: [{field: b, segments: al}]}\n"
    problems = problems_of(SHOP + export)
    assert any(
        problem.startswith("line 11: attributes.export_profiles[0].map[0].segments: found 'al';")
        for problem in problems
    )
    assert not any("literal[" in problem or "tuple[" in problem for problem in problems)
    problems = problems_of(SHOP + export.replace("al}", "[]}"))
    place = "line 11: attributes.export_profiles[0].map[0].segments"
    assert problems == [f"{place}: allowed: all", f"{place}: needed is at least 1"]


def test_a_problem_of_several_goals_has_the_line_of_the_one_it_names() -> None:
    """A check of the whole connection names the entry itself, with its number."""
    text = """type: cdp_sync.components.IterableConnection
attributes:
  name: crm
  api_key_env: KEY
  export_profiles:
    - {name: a, segment: s, map: [{field: x, property: y}], link: [{field: email, property: email}]}
    - name: b
      segment: s
      link: [{field: userId, property: email}]
      map: [{field: x, property: y}]
"""
    (problem,) = problems_of(text)
    assert problem.startswith("line 9: attributes.export_profiles[1].link: found userId; users of a project with")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("2026-02-30", "date or time"),
        ("2026-02-28 25:00:00", "date or time"),
        ("2026-02-28 10:00:00+99:00", "date or time"),
        ("!!timestamp soon", "date or time"),
        ("0x_", "whole number"),
        ("!!int two", "whole number"),
        ("!!float two", "number"),
        ("!!bool perhaps", "boolean"),
    ],
)
def test_a_value_that_only_looks_like_a_date_or_number_has_its_line(value: str, kind: str) -> None:
    """YAML reads it as a date or a number before any declaration is checked; as a key, too."""
    found = value.rpartition("!")[2].partition(" ")[2] or value if "!" in value else value
    for text, column in ((SHOP.replace("name: shop", f"title: {value}"), 10), (f"type: x\n{value}: y\n", 1)):
        line = next(number for number, each in enumerate(text.splitlines(), 1) if value in each)
        message = f"line {line}, column {column}: this is not valid YAML: {found} is no {kind}; text needs quotes"
        assert problems_of(text) == [message]


def test_a_date_that_does_not_exist_has_its_path() -> None:
    """In quotes it is text; the message says what is needed, and the path has no name of a type."""
    problem = "line 10: attributes.export_events[0].since: found '2026-02-30'; needed is a date such as 2026-02-28"
    assert problem in problems_of(SHOP.replace("set}", 'set}\n  export_events: [{since: "2026-02-30"}]'))
