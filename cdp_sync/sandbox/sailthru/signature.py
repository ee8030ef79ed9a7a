"""The signature of a call: MD5 of the secret and all values, sorted.

It is written independently of what signs the product's calls, so that each checks the other.
"""

import hmac
from collections.abc import Mapping
from hashlib import md5


def signature(secret: str, fields: Mapping[str, str]) -> str:
    """Return the lower-case hexadecimal signature of all fields but `sig`: of the text before its URL encoding."""
    values = sorted(text for name, text in fields.items() if name != "sig")
    return md5("".join([secret, *values]).encode(), usedforsecurity=False).hexdigest()


def is_signed(secret: str, fields: Mapping[str, str]) -> bool:
    """Return whether the field `sig` signs the others."""
    return hmac.compare_digest(signature(secret, fields).encode(), fields.get("sig", "").encode())
