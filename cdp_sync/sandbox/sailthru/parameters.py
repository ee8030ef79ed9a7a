"""A call's parameters, and its signature. Whatever is not valid raises Refused."""

import hmac
import json
from collections.abc import Mapping
from hashlib import md5

from cdp_sync.sandbox.api import Asked, Call, Refused, check, mapping, text


def signature(secret: str, fields: Mapping[str, str]) -> str:
    """Return MD5 of the secret and the sorted values of all fields but `sig`: of the text before its URL encoding.

    It is written independently of what signs the product's calls, so that each checks the other.
    """
    values = sorted(text for name, text in fields.items() if name != "sig")
    return md5("".join([secret, *values]).encode(), usedforsecurity=False).hexdigest()


def is_signed(secret: str, fields: Mapping[str, str]) -> bool:
    """Return whether the field `sig` signs the others."""
    return hmac.compare_digest(signature(secret, fields).encode(), fields.get("sig", "").encode())


def parameters(call: Call) -> Asked:
    """Return the parameters: of the field `json`, or else of the classic form `vars[a]=1`, all of text."""
    if "json" not in call.body.fields:
        return mapping({"form": call.body.nested}, "form")
    try:
        return mapping({"json": json.loads(call.body.fields["json"])}, "json")
    except ValueError:
        raise Refused(400, "The parameter json is not valid JSON") from None


def needed(asked: Asked, name: str) -> str:
    """Return a parameter as text; it must not be empty."""
    check(asked.get(name), f"Missing required parameter: {name}", 2)
    return text(asked, name)
