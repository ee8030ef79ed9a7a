"""What a call says: its form fields, its parameters and its file."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from cdp_sync.sandbox.sailthru.refusal import Refused, invalid

Fields = dict[str, str]
Parameters = dict[str, Any]

_SIZE = 256 << 20
_OF_THE_CALL = frozenset({"api_key", "format", "sig"})
_NAME = re.compile(r"\[([^\]]*)\]")


async def read(request: Request) -> tuple[Fields, bytes | None]:
    """Return the form fields, and the content of the file where there is one.

    Raises:
        Refused: The text is not UTF-8, or not a form.
    """
    if request.method in {"GET", "DELETE"}:
        return _form(request.scope["query_string"]), None
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await _multipart(request)
    return _form(await request.body()), None


def _form(text: bytes) -> Fields:
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise Refused(400, 6, "Invalid UTF-8") from None
    return _distinct(pairs)


def _distinct(pairs: list[tuple[str, str]]) -> Fields:
    # `lists[]` may come several times, and each of them is a value.
    fields: Fields = {}
    for name, value in pairs:
        fields[name if name not in fields or not name.endswith("[]") else f"{name[:-1]}{len(fields)}]"] = value
    return fields


async def _multipart(request: Request) -> tuple[Fields, bytes | None]:
    try:
        form = await request.form(max_part_size=_SIZE)
    except MultiPartException as problem:
        raise invalid(problem.message) from None
    parts = form.multi_items()
    fields = _distinct([(name, part) for name, part in parts if isinstance(part, str)])
    uploaded = [part for name, part in parts if name == "file" and isinstance(part, UploadFile)]
    content = await uploaded[0].read() if uploaded else None
    await form.close()
    return fields, content


def parameters(fields: Fields) -> Parameters:
    """Return the call's parameters: of the field `json`, or else of the classic form `vars[a]=1`, all of text.

    Raises:
        Refused: `json` holds no object.
    """
    if "json" not in fields:
        return _nested({name: value for name, value in fields.items() if name not in _OF_THE_CALL})
    try:
        found = json.loads(fields["json"])
    except ValueError:
        raise invalid("The parameter json is not valid JSON") from None
    return mapping(found, "json")


def mapping(found: object, name: str) -> Parameters:
    """Return an object; PHP writes an empty one as `[]`, and nothing as null.

    Raises:
        Refused: It is something else.
    """
    if isinstance(found, dict):
        return found
    if not found and (found is None or isinstance(found, list)):
        return {}
    raise invalid(f"Invalid value for {name}: an object is needed")


def text(asked: Parameters, name: str) -> str:
    """Return a parameter as text; the empty one where it is missing."""
    found = asked.get(name)
    return "" if found is None else str(found)


def _nested(fields: Fields) -> Parameters:
    found: Parameters = {}
    for name, value in fields.items():
        inside: Parameters = found
        first, *rest = name.split("[", 1)
        *path, last = [first, *(_NAME.findall(f"[{rest[0]}") if rest else [])]
        for step in path:
            deeper = inside.setdefault(step, {})
            inside = deeper if isinstance(deeper, dict) else {}
        inside[last or str(len(inside))] = value
    return {name: _as_array(value) for name, value in found.items()}


def _as_array(value: Any) -> Any:  # noqa: ANN401 - as JSON
    if not isinstance(value, dict):
        return value
    inner = {name: _as_array(deeper) for name, deeper in value.items()}
    return list(inner.values()) if list(inner) == [str(index) for index in range(len(inner))] else inner
