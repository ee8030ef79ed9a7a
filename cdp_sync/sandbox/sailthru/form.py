"""What a call says: form fields, parameters and a file."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from cdp_sync.sandbox.api import Refused

Asked = dict[str, Any]

_LARGEST_FILE = 256 << 20
_STEPS = re.compile(r"\[([^\]]*)\]")


@dataclass
class Form:
    """A call's form.

    Attributes:
        fields: As sent.
        file: The content of the uploaded file.
    """

    fields: dict[str, str]
    file: bytes | None = None

    @classmethod
    async def read(cls, request: Request) -> "Form":
        """Read a call.

        Raises:
            Refused: It is not UTF-8, or not a form.
        """
        if request.method in {"GET", "DELETE"}:
            return cls(_decoded(request.scope["query_string"]))
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            return cls(_decoded(await request.body()))
        try:
            form = await request.form(max_part_size=_LARGEST_FILE)
        except MultiPartException as problem:
            raise Refused(400, problem.message) from None
        parts = form.multi_items()
        files = [part for name, part in parts if name == "file" and isinstance(part, UploadFile)]
        content = await files[0].read() if files else None
        await form.close()
        return cls(_distinct((name, part) for name, part in parts if isinstance(part, str)), content)

    @cached_property
    def asked(self) -> Asked:
        """The parameters: of the field `json`, or else of the classic form `vars[a]=1`, all of text.

        Raises:
            Refused: `json` holds no object.
        """
        if "json" not in self.fields:
            own = {"api_key", "format", "sig"}
            return _nested({name: value for name, value in self.fields.items() if name not in own})
        try:
            return as_object(json.loads(self.fields["json"]), "json")
        except ValueError:
            raise Refused(400, "The parameter json is not valid JSON") from None


def as_object(found: object, name: str) -> Asked:
    """Return a JSON object; PHP writes an empty one as `[]`, and none as null.

    Raises:
        Refused: It is something else.
    """
    if isinstance(found, dict):
        return found
    if found is None or found == []:
        return {}
    raise Refused(400, f"Invalid value for {name}: an object is needed")


def mapping(asked: Asked, name: str) -> Asked:
    """Return a parameter that is an object; an empty one where it is missing."""
    return as_object(asked.get(name), name)


def text(asked: Asked, name: str) -> str:
    """Return a parameter as text; the empty text where it is missing."""
    found = asked.get(name)
    return "" if found is None else str(found)


def _decoded(form: bytes) -> dict[str, str]:
    try:
        return _distinct(parse_qsl(form.decode("ascii"), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise Refused(400, "Invalid UTF-8", 6) from None


def _distinct(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    # `lists[]` may come several times, and each of them is a value.
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields[name if name not in fields or not name.endswith("[]") else f"{name[:-1]}{len(fields)}]"] = value
    return fields


def _nested(fields: dict[str, str]) -> Asked:
    found: Asked = {}
    for name, value in fields.items():
        inside, first = found, name.partition("[")[0]
        *path, last = [first, *_STEPS.findall(name[len(first) :])]
        for step in path:
            deeper = inside.setdefault(step, {})
            inside = deeper if isinstance(deeper, dict) else {}
        inside[last or str(len(inside))] = value
    return {name: _with_arrays(value) for name, value in found.items()}


def _with_arrays(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Turn objects whose names count from 0 into arrays."""
    if not isinstance(value, dict):
        return value
    inner = {name: _with_arrays(deeper) for name, deeper in value.items()}
    return list(inner.values()) if list(inner) == [str(index) for index in range(len(inner))] else inner
