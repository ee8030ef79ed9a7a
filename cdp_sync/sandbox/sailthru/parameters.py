"""The parameters of a call."""

import json
from typing import Any

from cdp_sync.sandbox.api import Call, Refused

Asked = dict[str, Any]


def parameters(call: Call) -> Asked:
    """Return the parameters: of the field `json`, or else of the classic form `vars[a]=1`, all of text."""
    form = call.body
    return as_object(form.fields["json"], "json") if "json" in form.fields else form.nested


def as_object(encoded: str | bytes, name: str) -> Asked:
    """Return a JSON object, or raise Refused."""
    try:
        return mapping({name: json.loads(encoded)}, name)
    except ValueError:
        raise Refused(400, f"Invalid value for {name}: it is not JSON") from None


def mapping(asked: Asked, name: str) -> Asked:
    """Return a parameter that is an object, or raise Refused; PHP writes an empty one as `[]`, and none as null."""
    found = asked.get(name)
    if isinstance(found, dict):
        return found
    if found is None or found == []:
        return {}
    raise Refused(400, f"Invalid value for {name}: an object is needed")


def text(asked: Asked, name: str) -> str:
    """Return a parameter as text; the empty text where it is missing."""
    found = asked.get(name)
    return "" if found is None else str(found)


def needed(asked: Asked, name: str) -> str:
    """Return a parameter as text, or raise Refused where it is missing or empty."""
    if not asked.get(name):
        raise Refused(400, f"Missing required parameter: {name}", 2)
    return text(asked, name)
