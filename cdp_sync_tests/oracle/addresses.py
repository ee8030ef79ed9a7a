"""Parsing of e-mail addresses, character by character."""

import unicodedata
from string import ascii_lowercase, ascii_uppercase

import idna

WRAPPINGS = (('"', '"'), ("'", "'"), ("\u201c", "\u201d"), ("\u2018", "\u2019"))

SPACES = "".join(map(chr, (0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)))
"""Unicode's space characters, which are ignored around values other than text."""

SIGNS = set("!#$%&'*+/=?^_`{|}~-")


def read_address(text: str) -> str | None:
    """Return the address in a text, without wrappings; None if there is none."""
    lowered = text.translate(str.maketrans(ascii_uppercase, ascii_lowercase))
    text = "".join(sign for sign in lowered if unicodedata.category(sign) != "Cf").strip()
    for _ in range(4):
        if is_address(text):
            return in_ascii(text)
        text = unwrap(text)
    return None


def in_ascii(address: str) -> str | None:
    """Return an address with its domain in ASCII; None if the domain is invalid or the address too long."""
    local, _, domain = address.partition("@")
    try:
        domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return None
    return f"{local}@{domain}" if len(f"{local}@{domain}".encode()) <= 254 else None


def unwrap(text: str) -> str:
    """Remove one wrapping."""
    name, bracket, rest = text.partition("<")
    if bracket and rest.endswith(">") and not set(name) & set(">@") and not set(rest[:-1]) & set("<>"):
        return rest[:-1].strip(SPACES)
    if text.startswith("mailto:"):
        return text.removeprefix("mailto:").strip(SPACES)
    if (parts := text.split("#mailto:")) and len(parts) == 2 and parts[1] == parts[0] + "#":
        return parts[0]
    for first, last in WRAPPINGS:
        if len(text) > 1 and text[0] == first and text[-1] == last:
            return text[1:-1].strip(SPACES)
    return text


def is_address(text: str) -> bool:
    """Return whether a text is `local@domain`."""
    local, at, domain = text.partition("@")
    return bool(at) and is_local(local) and is_domain(domain)


def is_local(text: str) -> bool:
    """Return whether a local part is valid: atoms separated by dots, without surrounding apostrophes."""
    pieces = text.split(".")
    sound = all(piece and all(is_letter(sign) or sign in SIGNS for sign in piece) for piece in pieces)
    return sound and len(text.encode()) <= 64 and text[0] != "'" and text[-1] != "'"


def is_domain(text: str) -> bool:
    """Return whether a domain is valid: labels separated by dots, with a letter in the last one."""
    labels = text.split(".")
    return all(map(is_label, labels)) and any(unicodedata.category(sign)[0] == "L" for sign in labels[-1])


def is_label(text: str) -> bool:
    """Return whether a label has letters and digits, with hyphens only inside."""
    return bool(text) and "-" not in (text[0], text[-1]) and all(is_letter(sign) or sign == "-" for sign in text)


def is_letter(sign: str) -> bool:
    """Return whether a character is a letter, a combining mark or a digit of any script."""
    return unicodedata.category(sign)[0] in "LMN"
