"""What an e-mail address is, and which spellings of it are the same one."""

import re
from functools import lru_cache

import idna

# As HTML defines the value of <input type=email>, with a limit on the part in front of the @ (RFC 5321, 4.5.3.1.1):
# https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address. No space, no comma and no line break, so an
# address cannot become two, or a header.
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_ADDRESS = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*")


def is_address(text: str) -> bool:
    """Whether a text is one e-mail address, without a name beside it."""
    return _ADDRESS.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def ascii_domain(domain: str | None) -> str | None:
    """Return a domain as DNS knows it, in ASCII (`bücher.example` is `xn--bcher-kva.example`); None of no domain.

    By IDNA 2008, with the mapping of UTS 46: case, width and composition of letters do not count.
    """
    try:
        return domain and idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return None


def folded(text: str) -> str:
    """Return an address as it is stored: ASCII in lower case, the domain in ASCII; other text as good as possible.

    Letters beyond ASCII keep their case in front of the @: whether it counts is known to the receiving server only.
    """
    text = text.translate(_LOWER)
    local, at, domain = text.rpartition("@")
    return text if domain.isascii() else f"{local}{at}{ascii_domain(domain) or domain}"


_LOWER = {capital: capital + 32 for capital in range(ord("A"), ord("Z") + 1)}
