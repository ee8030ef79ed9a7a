"""How a call is signed: MD5 of the secret and all values, sorted.

The sandbox's own reading of the rule; what signs the product's calls is another one, so that each checks the other.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping


def signature(secret: str, parameters: object) -> str:
    """Return the lower-case hexadecimal signature of parameters, which are those sent but `sig` and files."""
    return _digest(secret, _leaves(parameters))


def is_signed(secret: str, fields: Mapping[str, str]) -> bool:
    """Tell whether the field `sig` signs the others: each as text that was sent, before its URL encoding."""
    others = [value for name, value in fields.items() if name != "sig"]
    return hmac.compare_digest(_digest(secret, others).encode(), fields.get("sig", "").encode())


def _digest(secret: str, texts: Iterable[str]) -> str:
    signed = secret + "".join(sorted(texts))
    return hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest()


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    else:
        # A boolean is 1 or 0, as in PHP.
        yield str(int(value) if isinstance(value, bool) else value)
