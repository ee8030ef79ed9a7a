"""Reads the text of a defs.yaml: what it declares, or every slip in it with its place and what is allowed.

Dagster checks declarations as well, with a model that it derives from ours; what that says of a nested slip is hard to
read, and it may show a value that nobody meant to show.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cdp_sync.model.connection import Connection, SftpConnection
from cdp_sync.model.maintenance import Maintenance
from cdp_sync.model.profile import Profiles
from cdp_sync.model.sailthru import SailthruAccount, as_base_url
from cdp_sync.model.sailthru_connection import SailthruConnection
from cdp_sync.model.server import SftpServer
from cdp_sync.model.suggestion import allowed
from cdp_sync.model.yaml_lines import Loader, documents_of, lines_of

_PREFIX = "cdp_sync.components."
_LONGEST_SHOWN = 60
_TRIED = re.compile(r"int|str|\[key\]|(?:literal|tuple)\[.*\]")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")

_IN_WORDS = {
    "missing": "this key is needed",
    "too_short": "needed is at least {min_length}",
    "tuple_type": "needed is a list",
    "dict_type": "needed is a mapping",
    "model_type": "needed is a mapping",
    "string_type": "needed is text; other values become text in quotes",
    "bool_type": "needed is true or false",
    "bool_parsing": "needed is true or false",
    "int_type": "needed is a whole number",
    "int_parsing": "needed is a whole number",
    "int_from_float": "needed is a whole number",
    "float_type": "needed is a number",
    "float_parsing": "needed is a number",
    "greater_than": "needed is more than {gt}",
    "greater_than_equal": "needed is at least {ge}",
    "less_than": "needed is less than {lt}",
    "less_than_equal": "needed is at most {le}",
}
"""What pydantic's kinds of slips are called here."""


class ServerAttributes(SftpServer):
    """The server as it is written: its port may be a template."""

    port: int | str = 22  # type: ignore[assignment]  # wider on purpose: rendered before it becomes an SftpServer
    """TCP port, or a template that yields one."""


class SftpAttributes(SftpConnection):
    """A connection to an SFTP server as it is written."""

    server: ServerAttributes
    """How to reach the server."""


def _template_or_url(value: str) -> str:
    return value if "{{" in value else as_base_url(value)


class SailthruAttributes(SailthruConnection):
    """A connection to Sailthru as it is written: its address may be a template."""

    base_url: Annotated[str, AfterValidator(_template_or_url)] = SailthruAccount.model_fields["base_url"].default
    """Where the API is, or a template that yields that."""


TYPES: dict[str, type[BaseModel]] = {
    f"{_PREFIX}Maintenance": Maintenance,
    f"{_PREFIX}ProfileModel": Profiles,
    f"{_PREFIX}SailthruConnection": SailthruAttributes,
    f"{_PREFIX}SftpConnection": SftpAttributes,
}
"""What a defs.yaml can declare, by the component's type."""


def slips_in(text: str) -> list[str]:
    """Return every slip in a defs.yaml, each as `path: what was found; what is allowed`. Types of others pass."""
    try:
        documents = list(documents_of(text))
    except yaml.YAMLError as error:
        return [_not_yaml(error, text)]
    return [slip for document, doubled in documents for slip in (*doubled, *_slips_of_document(document))]


def with_line(slip: str, text: str) -> str:
    """Return a slip in a text with the line it is on; with all lines that could be meant where there are several."""
    if slip.startswith("line "):
        return slip
    lines = lines_of(text, slip.partition(":")[0])
    return f"line {' or '.join(map(str, lines))}: {slip}" if lines else slip


def documents_in(text: str) -> list[dict[str, Any]]:
    """Return the documents of a defs.yaml that is in order."""
    return [each for each in yaml.load_all(text, Loader=Loader) if each is not None]


def connections_in(text: str) -> list[Connection]:
    """Return the connections that a defs.yaml without slips declares."""
    known = [document for document in documents_in(text) if document["type"] in TYPES]
    declared = (TYPES[document["type"]].model_validate(document["attributes"]) for document in known)
    return [each for each in declared if isinstance(each, Connection)]


def names_in(text: str) -> list[str]:
    """Return the names of the connections that a defs.yaml declares, with slips or without.

    Raises:
        yaml.YAMLError: The text is not valid YAML.
    """
    found = []
    for document, _ in documents_of(text):
        kind = TYPES.get(str(document.get("type"))) if isinstance(document, dict) else None
        attributes = document.get("attributes") if isinstance(document, dict) else None
        if kind and issubclass(kind, Connection) and isinstance(attributes, dict) and attributes.get("name"):
            found.append(str(attributes["name"]))
    return found


def _not_yaml(error: yaml.YAMLError, text: str) -> str:
    if isinstance(error, yaml.reader.ReaderError):  # it counts characters, and knows no lines
        line = text.count("\n", 0, error.position) + 1
        return f"line {line}: this is not valid YAML: it holds the character U+{ord(text[error.position]):04X}"
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}this is not valid YAML: {getattr(error, 'problem', None) or 'it cannot be read'}"


def _slips_of_document(document: object) -> list[str]:
    kind = document.get("type") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(kind, str):
        return [f"type: there is none; {allowed('', TYPES)}"]
    if kind not in TYPES:
        return [f"type: {kind!r} is unknown; {allowed(kind, TYPES)}"] if kind.startswith(_PREFIX) else []
    try:
        TYPES[kind].model_validate(document.get("attributes") or {})
    except ValidationError as error:
        return [f"attributes{told}" for told in slips_of(error, TYPES[kind])]
    return []


def slips_of(error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
    """Yield what a model says of what was declared, each as `.path: what was found; what is allowed`."""
    every = error.errors(include_url=False)
    for found in every:
        if found["type"] == "too_short" and any(_is_in(other["loc"], found["loc"]) for other in every):
            continue  # pydantic does not count entries with slips; these are enough
        told = _message(found, model)
        # What concerns several keys at once names the first of them itself.
        path = ".".join(part for part in (_path(found["loc"]), told if re.match("[a-z_]+: ", told) else "") if part)
        yield f".{path}" if path.endswith(told) else f".{path}: {told}"


def _is_in(place: tuple[int | str, ...], whole: tuple[int | str, ...]) -> bool:
    return len(place) > len(whole) and place[: len(whole)] == whole


def _path(place: tuple[int | str, ...]) -> str:
    # A field of several types tells the type it tried, such as the port's `int`: no place in the file.
    parts = [part for part in place if isinstance(part, int) or not _TRIED.fullmatch(part)]
    told = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return told.removeprefix(".")


def _message(found: ErrorDetails, model: type[BaseModel]) -> str:
    if found["type"] == "extra_forbidden":
        return f"unknown key; {allowed(str(found['loc'][-1]), _keys_at(model, found['loc'][:-1]))}"
    value = found["input"]
    told = found["msg"].removeprefix("Value error, ")
    if found["type"] == "literal_error":
        told = _listed(str(value), found["ctx"]["expected"])
    elif found["type"] in _IN_WORDS:
        told = _IN_WORDS[found["type"]].format(**found.get("ctx", {}))
    written = str(value).lower() if isinstance(value, bool) else repr(value)
    shown = isinstance(value, str | int | float) and len(written) <= _LONGEST_SHOWN and "found" not in told
    return f"found {written}; {told}" if shown else told


def _keys_at(model: type[BaseModel], place: Iterable[int | str]) -> list[str]:
    """Return the keys that are allowed at a place."""
    for part in place:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _listed(found: str, expected: str) -> str:
    """Return what a closed list allows, given pydantic's words for it: `'a', 'b' or 'c'`, or `True`."""
    names = [re.sub(r"\\(.)", r"\1", name) for name in _QUOTED.findall(expected)]
    return allowed(found, names or [expected.lower()])
