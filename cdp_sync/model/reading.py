"""Reads the text of a defs.yaml: what it declares, or every problem in it with its place and what is allowed.

Dagster checks declarations as well, with the same models; its messages about nested values are hard to read, and may
show a value that was not meant to be shown. PyYAML accepts a key that a mapping has twice, against YAML's own rule, and
takes the last value; here it is a problem.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cdp_sync.model.declared import Declared
from cdp_sync.model.kind import COMPONENTS, kind_of_type, kinds
from cdp_sync.model.lifecycle import Lifecycle
from cdp_sync.model.profile import Profiles
from cdp_sync.model.schedule import Maintenance
from cdp_sync.model.suggestion import allowed

_LONGEST_SHOWN = 60
_TRIED = re.compile(r"int|str|date|datetime|constrained-str|\[key\]|(?:literal|tuple)\[.*\]")
_PLACE = re.compile(r"[a-z_]+(\[\d+\]|\.[a-z_]+)*: ")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")

_IN_WORDS = {
    "missing": "this key is needed",
    "too_short": "needed is at least {min_length}",
    "too_long": "needed is at most {max_length}",
    "tuple_type": "needed is a list",
    "string_type": "needed is text; other values become text in quotes",
    **dict.fromkeys(("dict_type", "model_type"), "needed is a mapping"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "needed is true or false"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "needed is a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "needed is a number"),
    **dict.fromkeys(
        ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"),
        "needed is a date such as 2026-02-28",
    ),
    **dict.fromkeys(
        ("datetime_type", "datetime_parsing", "datetime_from_date_parsing"),
        "needed is a time such as 2026-02-28T12:00:00Z",
    ),
    "greater_than": "needed is more than {gt}",
    "greater_than_equal": "needed is at least {ge}",
    "less_than": "needed is less than {lt}",
    "less_than_equal": "needed is at most {le}",
}
"""Pydantic's kinds of errors, in our words."""

_OTHERS: dict[str, type[Declared]] = {
    f"{COMPONENTS}Lifecycle": Lifecycle,
    f"{COMPONENTS}Maintenance": Maintenance,
    f"{COMPONENTS}ProfileModel": Profiles,
}


def model_of(type_name: str) -> type[Declared] | None:
    """Return the declared model of a component's type; None for types of others."""
    kind = kind_of_type(type_name)
    return kind.part("model") if kind else _OTHERS.get(type_name)


def type_names() -> list[str]:
    """Return the types that a defs.yaml can name."""
    return sorted([*_OTHERS, *kinds()])


@dataclass(frozen=True)
class Document:
    """A document of a defs.yaml, as it is written."""

    type: str
    attributes: Mapping[str, Any]
    others: frozenset[str]
    """Its keys beside these two."""
    value: Declared | None
    """The declared value, whose templates are not filled; None for types of others."""


@dataclass(frozen=True)
class Reading:
    """What a defs.yaml says: its documents that name a type."""

    documents: tuple[Document, ...]
    problems: tuple[str, ...]
    """What is wrong with it, each as `path: what was found; what is allowed`. Types of others pass."""
    is_yaml: bool = True


@lru_cache(maxsize=2048)
def read_text(text: str) -> Reading:
    """Read a defs.yaml; the same text only once."""
    documents: list[Document] = []
    problems: list[str] = []
    try:
        for document, doubled in documents_of(text):
            problems += doubled
            name = document.get("type") if isinstance(document, dict) else None
            if not isinstance(document, dict) or not isinstance(name, str):
                problems.append(f"type: there is none; {allowed('', type_names())}")
                continue
            attributes = document.get("attributes") or {}
            value, found = _value(name, attributes)
            problems += found
            written = attributes if isinstance(attributes, dict) else {}
            documents.append(Document(name, written, frozenset(document) - {"type", "attributes"}, value))
    except yaml.YAMLError as error:
        return Reading((), (_not_yaml(error, text),), is_yaml=False)
    return Reading(tuple(documents), tuple(problems))


def _value(name: str, attributes: object) -> tuple[Declared | None, list[str]]:
    model = model_of(name)
    if model is None:
        unknown = f"type: {name!r} is unknown; {allowed(name, type_names())}"
        return None, [unknown] if name.startswith(COMPONENTS) else []
    try:
        return model.model_validate(attributes), []
    except ValidationError as error:
        return None, [f"attributes{problem}" for problem in problems_of(error, model)]


def with_line(problem: str, text: str) -> str:
    """Return a problem in a text with the line it is on; with all lines that could be meant where there are several."""
    if problem.startswith("line "):
        return problem
    lines = lines_of(text, problem.partition(":")[0])
    return f"line {' or '.join(map(str, lines))}: {problem}" if lines else problem


def _not_yaml(error: yaml.YAMLError, text: str) -> str:
    if isinstance(error, yaml.reader.ReaderError):  # it counts characters, and knows no lines
        line = text.count("\n", 0, error.position) + 1
        return f"line {line}: this is not valid YAML: it holds the character U+{ord(text[error.position]):04X}"
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}this is not valid YAML: {getattr(error, 'problem', None) or 'it cannot be read'}"


def problems_of(error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
    """Yield what a model says of what was declared, each as `.path: what was found; what is allowed`."""
    every = error.errors(include_url=False)
    for found in every:
        place = found["loc"]
        inside = (each["loc"] for each in every if len(each["loc"]) > len(place))
        if found["type"] == "too_short" and any(each[: len(place)] == place for each in inside):
            continue  # pydantic does not count entries with problems; these are enough
        message = _message(found, model)
        # What concerns several keys at once names the first of them itself.
        names_key = message if found["type"] == "value_error" and _PLACE.match(message) else ""
        path = ".".join(part for part in (_path(place), names_key) if part)
        yield f".{path}" if path.endswith(message) else f".{path}: {message}"


def _path(place: tuple[int | str, ...]) -> str:
    # A field of several types adds the type that was tried, such as `int`: no place in the file.
    parts = (part for part in place if isinstance(part, int) or not _TRIED.fullmatch(part))
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")


def _message(found: ErrorDetails, model: type[BaseModel]) -> str:
    if found["type"] == "extra_forbidden":
        return f"unknown key; {allowed(str(found['loc'][-1]), _keys_at(model, found['loc'][:-1]))}"
    value = found["input"]
    text = found["msg"].removeprefix("Value error, ")
    if found["type"] == "literal_error":
        # Pydantic lists what is allowed as `'a', 'b' or 'c'`, or as `True`.
        expected = found["ctx"]["expected"]
        names = [re.sub(r"\\(.)", r"\1", name) for name in _QUOTED.findall(expected)]
        text = allowed(str(value), names or [expected.lower()])
    elif found["type"] in _IN_WORDS:
        text = _IN_WORDS[found["type"]].format(**found.get("ctx", {}))
    written = str(value).lower() if isinstance(value, bool) else repr(value)
    shown = isinstance(value, str | int | float) and len(written) <= _LONGEST_SHOWN and "found" not in text
    return f"found {written}; {text}" if shown else text


def _keys_at(model: type[BaseModel], place: Iterable[int | str]) -> list[str]:
    for part in place:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


# The same safe loader, in C where libyaml is there: ten times as quick.
_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_KINDS = {"timestamp": "date or time", "int": "whole number", "float": "number", "bool": "boolean"}
"""YAML's kinds of plain values, in our words."""


class Loader(_SafeLoader):  # type: ignore[misc,valid-type]
    """Has an error with a place for a value that looks like a date or a number and is none, such as 2026-02-30."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401 - PyYAML's
        """Return the value of a node; PyYAML's own errors about plain values have no place."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError) as error:
            kind = _KINDS.get(node.tag.rpartition(":")[2], "value of this kind")
            shown = node.value if 0 < len(node.value) <= _LONGEST_SHOWN else "this"
            problem = f"{shown} is no {kind}; text needs quotes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


_PART = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_MERGE = "tag:yaml.org,2002:merge"


def documents_of(text: str) -> Iterator[tuple[object, list[str]]]:
    """Yield each document that is not empty, with its doubled keys, each as `path: on which line it was before`.

    Raises:
        yaml.YAMLError: The text is not valid YAML.
    """
    loader = Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            doubled = list(_doubled(node, "", set()))  # first: constructing replaces merged keys by their values
            document = loader.construct_document(node)
            if document is not None:
                yield document, doubled
    finally:
        loader.dispose()


def _doubled(node: yaml.Node | None, path: str, seen: set[int]) -> Iterator[str]:
    if node is None or id(node) in seen:  # an alias
        return
    seen.add(id(node))
    lines: dict[str, int] = {}
    for name, key, value in _children(node):
        place = f"{path}{name}" if path else name.lstrip(".")
        if name in lines and key.tag != _MERGE:
            yield f"{place}: this key is already on line {lines[name]}; remove one of them"
        lines.setdefault(name, _line(key))
        yield from _doubled(value, place, seen)


def _children(node: yaml.Node) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Yield what is in a mapping or a list: its part of a path, what begins it, and its value."""
    if isinstance(node, yaml.SequenceNode):
        yield from ((f"[{number}]", item, item) for number, item in enumerate(node.value))
    elif isinstance(node, yaml.MappingNode):
        yield from ((f".{key.value}", key, value) for key, value in node.value)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def lines_of(text: str, path: str) -> list[int]:
    r"""Return the line of a path, or of what is nearest above it: one for each document that could be meant.

    >>> lines_of("a:\n  b: [1,\n    2]\n", "a.b[1]")
    [3]
    """
    parts = [f"[{match[1]}]" if match[1] else f".{match[2]}" for match in _PART.finditer(path)]
    found = [_deepest(node, parts) for node in yaml.compose_all(text, Loader=Loader) if node is not None]
    depth = max((each for each, _ in found), default=0)
    return [line for each, line in found if each == depth]


def _deepest(node: yaml.Node, parts: list[str]) -> tuple[int, int]:
    """Return how many parts of a path a document has, and the line of the last of them."""
    line = _line(node)
    for depth, part in enumerate(parts):
        matching = [(key, value) for name, key, value in _children(node) if name == part]
        if not matching:
            return depth, line
        key, node = matching[-1]
        line = _line(key)
    return len(parts), line
