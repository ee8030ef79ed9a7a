"""Declarations: defaults, problems and their messages, and descriptions for editors."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from cdp_sync.model import FileGoal, Format, Profiles, Property, SftpConnection, SftpServer

SERVER = {"host": "sftp.example.com", "username": "shop", "password_env": "SHOP_PASSWORD", "host_key": "SHA256:abc"}
LINK = [{"field": "Email", "property": "email"}]


def goal(**fields: object) -> FileGoal:
    """Return a goal with the required fields and these."""
    return FileGoal.model_validate({"name": "customers", "link": LINK} | fields)


def refusal(kind: type[BaseModel], **fields: object) -> str:
    """Return the message about a goal with these fields."""
    with pytest.raises(ValidationError) as refused:
        kind.model_validate(fields)
    return str(refused.value)


def test_a_goal_needs_a_name_and_a_link_only() -> None:
    """A goal needs a name and a link; the rest has the documented defaults."""
    made = goal()
    assert (made.enabled, made.directory, made.files, made.files_regex) == (True, ".", None, None)
    assert (made.complete.settle_seconds, made.complete.marker) == (10.0, None)
    assert (made.allow_new_profiles, made.map, made.map_detected, made.max_rejected_percent) == (True, (), None, 100.0)


def test_a_format_is_comma_separated_utf_8_with_a_header() -> None:
    """A format has the documented defaults."""
    assert Format().model_dump() == {
        "trim": False,
        "thousands": None,
        "negative": (),
        "currency": (),
        "booleans": None,
        "json_lists": False,
        "century_pivot": 68,
        "date_in_zone": False,
        "escape": None,
        "comment": None,
        "trailer": None,
        "record_type": None,
        "short_rows": "reject",
        "max_record_lines": 100,
        "separator": ",",
        "decimal": ".",
        "multi_value": None,
        "dates": ("iso",),
        "time_zone": "UTC",
        "encoding": "utf-8",
        "header": True,
        "quote": '"',
        "skip_rows": 0,
        "nulls": ("",),
        "type": "csv",
        "max_megabytes": 20,
    }


def test_a_property_is_one_text_unless_declared_otherwise() -> None:
    """A property has the documented defaults, including the precision of decimals."""
    made = Property(name="total")
    assert (made.type, made.multiple, made.identifier, made.sql_type) == ("text", False, False, "VARCHAR")
    assert Property(name="total", type="decimal").sql_type == "DECIMAL(18,4)"


@pytest.mark.parametrize(
    ("fields", "sql_type"),
    [
        ({"type": "email"}, "VARCHAR"),
        ({"type": "number"}, "BIGINT"),
        ({"type": "decimal", "precision": 9, "scale": 2}, "DECIMAL(9,2)"),
        ({"type": "date"}, "DATE"),
        ({"type": "datetime"}, "TIMESTAMP WITH TIME ZONE"),
        ({"type": "boolean"}, "BOOLEAN"),
        ({"type": "date", "multiple": True}, "DATE[]"),
    ],
)
def test_every_type_has_a_column_type(fields: dict[str, Any], sql_type: str) -> None:
    """Each declared type has the column type of the contract; `multiple` makes it a list."""
    assert Property.model_validate({"name": "a"} | fields).sql_type == sql_type


def test_a_connection_is_enabled_and_called_by_its_name() -> None:
    """A connection needs a name and a server; its title defaults to its name."""
    made = SftpConnection(name="shop", server=SftpServer(**SERVER))
    assert (made.enabled, made.owners, made.import_profiles, made.label) == (True, (), (), "shop")
    assert SftpConnection(name="shop", title="The shop", server=SftpServer(**SERVER)).label == "The shop"


def test_a_server_has_defaults() -> None:
    """A server has the documented defaults."""
    made = SftpServer(**SERVER)
    assert (made.port, made.legacy_algorithms, made.compression) == (22, False, False)
    assert (made.connect_timeout, made.read_timeout) == (15.0, 60.0)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (FileGoal, {"name": "a", "link": LINK, "fils": "*.csv"}),
        (FileGoal, {"name": "a", "link": [{"field": "Email", "property": "email", "mode": "set"}]}),
        (Property, {"name": "a", "multipel": True}),
        (SftpServer, {**SERVER, "password": "no"}),
        (Format, {"seperator": ";"}),
        (SftpConnection, {"name": "a", "server": SERVER, "goals": []}),
        (Profiles, {"properties": [], "property": []}),
    ],
)
def test_an_unknown_key_is_refused(kind: type[BaseModel], fields: dict[str, Any]) -> None:
    """An unknown key is refused, and the message names it."""
    unknown = {"fils", "link.0.mode", "multipel", "password", "seperator", "goals", "property"}
    message = refusal(kind, **fields)
    assert "Extra inputs are not permitted" in message
    assert any(f"\n{name}\n" in message for name in unknown)


@pytest.mark.parametrize(
    ("kind", "fields", "needles"),
    [
        (Property, {"name": "First Name"}, ["'First Name'", "[a-z][a-z0-9_]*"]),
        (Property, {"name": "a", "type": "string"}, ["'string'", "'text'", "'boolean'"]),
        (Property, {"name": "created_at"}, ["'created_at'", "choose another name"]),
        (Property, {"name": "a", "type": "decimal", "precision": 3}, ["scale 4", "precision 3"]),
        (Property, {"name": "a", "type": "decimal", "precision": 39}, ["39", "less than or equal to 38"]),
        (Property, {"name": "a", "type": "date", "identifier": True}, ["text, email or number", "not date"]),
        (Profiles, {"properties": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}, ["more than once: a"]),
        (SftpServer, {"host": "h", "username": "u"}, ["no way to log in", "password_env", "private_key_file"]),
        (SftpServer, {**SERVER, "password_file": "f"}, ["password_env and password_file", "one of them"]),
        (
            SftpServer,
            {"host": "h", "username": "u", "private_key_file": "f", "private_key_env": "E"},
            ["private_key_file and private_key_env", "one of them"],
        ),
        (SftpServer, {**SERVER, "host_key": "aa:bb"}, ["host_key", "SHA256:"]),
        (SftpServer, {**SERVER, "port": 65536}, ["65536", "less than or equal to 65535"]),
        (SftpServer, {**SERVER, "port": 0}, ["greater than or equal to 1"]),
        (Format, {"separator": ""}, ["''", "one to four bytes"]),
        (Format, {"separator": "abcde"}, ["'abcde'", "one to four bytes"]),
        (Format, {"separator": '"'}, ["no quote"]),
        (Format, {"separator": "\n"}, ["no line break"]),
        (Format, {"decimal": ";"}, ["';'", "'.' or ','"]),
        (Format, {"dates": ["dd-mm-yyyy"]}, ["'dd-mm-yyyy'", "%d-%m-%Y", "epoch_seconds"]),
        (Format, {"time_zone": "Amsterdam"}, ["'Amsterdam'", "Europe/Amsterdam"]),
        (Format, {"encoding": "utf-88"}, ["'utf-88'", "did you mean utf-8"]),
        (Format, {"encoding": "iso-8859-51"}, ["'iso-8859-51'", "did you mean", "iso-8859-1"]),
        (Format, {"encoding": "base64"}, ["'base64'", "allowed are utf-8, utf-16"]),
        (Format, {"encoding": "idna"}, ["'idna'", "no encoding of text"]),
        (Format, {"encoding": "unicode_escape"}, ["no encoding of text"]),
        (Format, {"encoding": "undefined"}, ["no encoding of text"]),
        (Format, {"quote": "''"}, ["''", "at most 1"]),
        (Format, {"skip_rows": -1}, ["-1", "greater than or equal to 0"]),
        (FileGoal, {"name": "a", "link": []}, ["link", "needed is at least one"]),
        (FileGoal, {"name": "a"}, ["link", "needed is at least one"]),
        (FileGoal, {"name": "Upper", "link": LINK}, ["'Upper'", "[a-z][a-z0-9_]*"]),
        (FileGoal, {"name": "a", "link": LINK * 2}, ["link", "twice"]),
        (FileGoal, {"name": "a", "link": LINK, "files": "*", "files_regex": ".*"}, ["files and files_regex"]),
        (FileGoal, {"name": "a", "link": LINK, "files_regex": "("}, ["'('", "no regular expression"]),
        (FileGoal, {"name": "a", "link": LINK, "files_regex": "(?!a).*"}, ["'(?!a).*'", "RE2", "lookahead"]),
        (FileGoal, {"name": "a", "link": LINK, "files_regex": r"(a)\1"}, ["RE2", "backreferences"]),
        (FileGoal, {"name": "a", "link": LINK, "complete": {"marker": "done"}}, ["'done'", "{name}.done"]),
        (FileGoal, {"name": "a", "link": LINK, "complete": {"marker": "x/{name}"}}, ["'x/{name}'", "file name"]),
        (FileGoal, {"name": "a", "link": LINK, "max_rejected_percent": 101}, ["101", "less than or equal to 100"]),
        (FileGoal, {"name": "a", "link": LINK, "map_detected": {"prefix": "Shop "}}, ["'Shop '", "[a-z]"]),
    ],
)
def test_a_message_has_found_and_allowed_values(
    kind: type[BaseModel], fields: dict[str, Any], needles: list[str]
) -> None:
    """Each validator's message has the value found and the values allowed."""
    message = refusal(kind, **fields)
    assert all(needle in message for needle in needles), message


@pytest.mark.parametrize(
    ("modes", "allowed"),
    [
        (("set", "set"), False),
        (("set", "add"), False),
        (("add", "sum"), False),
        (("add", "add"), True),
        (("sum", "sum", "sum"), True),
    ],
)
def test_two_mappings_to_a_property_must_add_or_sum(modes: tuple[str, ...], allowed: bool) -> None:
    """Two mappings to one property are refused unless both add or both sum."""
    mappings = [{"field": f"F{number}", "property": "p", "mode": mode} for number, mode in enumerate(modes)]
    if allowed:
        assert len(goal(map=mappings).map) == len(modes)
    else:
        message = refusal(FileGoal, name="a", link=LINK, map=mappings)
        assert f"p is filled {len(modes)} times ({', '.join(modes)})" in message
        assert "allowed is that with add or with sum" in message


def test_goals_of_a_connection_have_different_names() -> None:
    """Two goals of a connection with the same name are refused."""
    twice = [{"name": "a", "link": LINK}, {"name": "a", "link": LINK}]
    assert "more than one goal is called a" in refusal(
        SftpConnection, name="shop", server=SERVER, import_profiles=twice
    )


def test_several_problems_are_reported_at_once() -> None:
    """A refusal lists all problems with their places."""
    with pytest.raises(ValidationError) as refused:
        FileGoal.model_validate(
            {"name": "A", "link": LINK, "map": [{"field": "B"}], "format": {"decimal": "x"}, "f": 1}
        )
    places = {".".join(map(str, problem["loc"])) for problem in refused.value.errors()}
    assert places == {"name", "map.0.property", "format.decimal", "f"}


def test_a_date_pattern_needs_no_list() -> None:
    """A single date pattern may be declared without a list."""
    assert Format(dates="%d-%m-%Y").dates == ("%d-%m-%Y",)


def test_a_tab_may_be_written_as_backslash_t() -> None:
    r"""`separator: \t` means the tab character."""
    assert Format(separator="\\t").separator == "\t"


def test_blocked_values_extend_the_built_in_ones() -> None:
    """Blocked values extend the built-in ones and apply in any case."""
    blocked = goal(blocked_values=[" Guest ", "NULL"]).blocked
    assert blocked == ("null", "none", "n/a", "unknown", "0", "-", "anonymous", "guest")


def test_fields_are_named_once_in_order() -> None:
    """A goal's fields are its linked and mapped fields in order, without repetition."""
    made = goal(map=[{"field": "Email", "property": "mail"}, {"field": "Name", "property": "name"}])
    assert made.fields == ("Email", "Name")


def test_declarations_are_immutable() -> None:
    """A declaration is immutable."""
    with pytest.raises(ValidationError):
        goal().name = "other"


@pytest.mark.parametrize("kind", [SftpConnection, Format, FileGoal, Profiles, Property, SftpServer])
def test_every_field_is_described_in_the_schema(kind: type[BaseModel]) -> None:
    """Each field of each declared model has a description in the schema."""
    assert undescribed(kind.model_json_schema()) == []


def undescribed(schema: dict[str, Any]) -> list[str]:
    """Return the fields of a JSON schema without a description of their own or of their model."""
    models = {schema.get("title", "?"): schema} | schema.get("$defs", {})
    return [
        f"{name}.{field}"
        for name, model in models.items()
        for field, described in model.get("properties", {}).items()
        if not (described.get("description") or models.get(described.get("$ref", "")[8:], {}).get("description"))
    ]


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        ("utf-8", "utf-8"), ("UTF8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("latin-1", "latin-1"),
        ("ISO-8859-1", "latin-1"), ("windows-1252", "windows-1252"), ("cp1252", "windows-1252"),
        ("iso-8859-15", "iso8859-15"), ("latin9", "iso8859-15"), ("windows-1250", "cp1250"), ("Shift_JIS", "shift_jis"),
        ("mac-roman", "mac-roman"), ("UTF-16LE", "utf-16-le"), ("utf-16-be", "utf-16-be"),
    ],
)  # fmt: skip
def test_an_encoding_has_one_name(declared: str, name: str) -> None:
    """All spellings of an encoding that Python knows give the same declaration."""
    assert Format.model_validate({"encoding": declared}).encoding == name
