"""What an e-mail address is."""

import re

# As HTML defines the value of <input type=email>, with a limit on the part in front of the @ (RFC 5321, 4.5.3.1.1):
# https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address. No space, no comma and no line break, so an
# address cannot become two, or a header.
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_ADDRESS = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*")


def is_address(text: str) -> bool:
    """Whether a text is one e-mail address, without a name beside it."""
    return _ADDRESS.fullmatch(text) is not None
