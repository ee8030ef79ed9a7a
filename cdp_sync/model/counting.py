"""How many, in words."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, singular or plural.

    >>> counted(1, "file"), counted(1200, "file"), counted(0, "property", "properties")
    ('1 file', '1,200 files', '0 properties')
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
