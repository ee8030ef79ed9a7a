"""The signature of a call: MD5 of the secret and all values, sorted.

It is written independently of what signs the product's calls, so that each checks the other.
"""

import hashlib
import hmac
from collections.abc import Mapping


def signature(secret: str, fields: Mapping[str, str]) -> str:
    """Return the lower-case hexadecimal signature of form fields: of the text that is sent, before its URL encoding."""
    signed = secret + "".join(sorted(fields.values()))
    return hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest()


def is_signed(secret: str, fields: Mapping[str, str]) -> bool:
    """Return whether the field `sig` signs the others."""
    others = {name: text for name, text in fields.items() if name != "sig"}
    return hmac.compare_digest(signature(secret, others).encode(), fields.get("sig", "").encode())
