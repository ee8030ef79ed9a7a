"""Calls that are web forms, URL-encoded or multipart, and parameters as PHP writes them."""

import re
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from cdp_sync.sandbox.api.faults import Refused

Asked = dict[str, Any]
"""The parameters of a call."""

_LARGEST_PART = 256 << 20
_STEPS = re.compile(r"\[([^\]]*)\]")


class Form:
    """A form.

    Attributes:
        fields: As sent, without files.
        file: The content of the first file in the field `file`.
    """

    def __init__(self, fields: dict[str, str], file: bytes | None = None) -> None:
        self.fields = fields
        self.file = file

    @classmethod
    async def read(cls, request: Request) -> "Form":
        """Read the query of a GET or DELETE, or the body of any other call.

        Raises:
            Refused: It is not a form, or not UTF-8.
        """
        in_query = request.method in {"GET", "DELETE"}
        if in_query or not request.headers.get("content-type", "").startswith("multipart/form-data"):
            encoded = request.scope["query_string"] if in_query else await request.body()
            try:
                return cls(dict(parse_qsl(encoded.decode("ascii"), keep_blank_values=True, errors="strict")))
            except UnicodeDecodeError:
                raise Refused(400, "Invalid UTF-8") from None
        try:
            form = await request.form(max_part_size=_LARGEST_PART)
        except MultiPartException as problem:
            raise Refused(400, problem.message) from None
        file = form.get("file")
        content = await file.read() if isinstance(file, UploadFile) else None
        await form.close()
        return cls({name: part for name, part in form.items() if isinstance(part, str)}, content)

    @cached_property
    def nested(self) -> dict[str, Any]:
        """The fields, where `a[b]=1` is an object `a` and `a[0]=1` an array."""
        found: dict[str, Any] = {}
        for name, value in self.fields.items():
            inside, first = found, name.partition("[")[0]
            *path, last = [first, *_STEPS.findall(name[len(first) :])]
            for step in path:
                deeper = inside.setdefault(step, {})
                inside = deeper if isinstance(deeper, dict) else {}
            inside[last or str(len(inside))] = value
        return {name: _with_arrays(value) for name, value in found.items()}


def check(valid: object, message: str, code: int | str | None = None, *, status: int = 400) -> None:
    """Raise Refused unless something is valid."""
    if not valid:
        raise Refused(status, message, code)


def mapping(asked: Asked, name: str) -> Asked:
    """Return a parameter that is an object; PHP writes an empty one as `[]`, and none as null."""
    found = asked.get(name)
    check(isinstance(found, dict) or found in (None, []), f"Invalid value for {name}: an object is needed")
    return found or {}


def text(asked: Asked, name: str) -> str:
    """Return a parameter as text; the empty text where it is missing."""
    found = asked.get(name)
    return "" if found is None else str(found)


def _with_arrays(value: Any) -> Any:  # noqa: ANN401 - as JSON
    """Turn objects whose names count from 0 into arrays."""
    if not isinstance(value, dict):
        return value
    inner = {name: _with_arrays(deeper) for name, deeper in value.items()}
    return list(inner.values()) if list(inner) == [str(index) for index in range(len(inner))] else inner
