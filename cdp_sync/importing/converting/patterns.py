"""strptime patterns: the shape of the cells that they read, and whether a reading has to be compared with its cell."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

OFFSET = r"(?:[Zz]|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)"

_DIGITS = {"Y": (4, 4), "G": (4, 4), "y": (2, 2), "u": (1, 1), "w": (1, 1), "j": (1, 3)} | dict.fromkeys(
    "mdHIMSUWV", (1, 2)
)
"""Fewest and most digits of a directive."""
_FRACTIONS = {"f": 9, "n": 9, "g": 3}
"""Most digits of a fraction of a second."""
_OTHERS = dict.fromkeys("AbB", r"\p{L}+") | {"a": r"\p{L}{3}", "p": "[AaPp][Mm]", "z": OFFSET, "%": "%"}
_COMPOSED = {"%c": "%Y-%m-%d %H:%M:%S", "%x": "%Y-%m-%d", "%X": "%H:%M:%S"}

_MEANING = dict(zip("YymbBdHIpMSfngz", "YYmmmdHHpMSfffz", strict=True))
"""What a directive states; those of one letter state the same. Others restate a part of the date."""


@dataclass(frozen=True)
class Pattern:
    """A strptime pattern."""

    text: str

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """Literal text and the letters of directives, in turn; the first and the last piece are literal."""
        text = re.sub("%[cxX]", lambda found: _COMPOSED[found[0]], self.text)
        return tuple(re.split("%-?([a-zA-Z%])", text))

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters of its directives."""
        return tuple(letter for letter in self.pieces[1::2] if letter != "%")

    @property
    def can_contradict(self) -> bool:
        """Whether a cell may state a part of the date twice, or a day by its number in a year or week."""
        stated = [_MEANING.get(letter) for letter in self.letters]
        return None in stated or len(set(stated)) < len(stated) or ("p" in stated and "I" not in self.letters)

    @cached_property
    def shape(self) -> str:
        """The regular expression of its cells."""
        return "".join(self._shapes)

    @cached_property
    def native_shape(self) -> str:
        """The regular expression of those cells that DuckDB's parser takes as they are."""
        return self.shape.replace(r"\d{1,9}", r"\d{1,6}").replace(OFFSET, OFFSET.replace("[Zz]|", ""))

    @cached_property
    def _shapes(self) -> list[str]:
        return [self._shape(place) if place % 2 else re.escape(piece) for place, piece in enumerate(self.pieces)]

    def _shape(self, place: int) -> str:
        letter = self.pieces[place]
        if letter in _OTHERS:
            return _OTHERS[letter]
        fewest, most = _DIGITS[letter] if letter in _DIGITS else (1, _FRACTIONS[letter])
        return rf"\d{{{most if self._touches_digits(place) else fewest},{most}}}"

    def _touches_digits(self, place: int) -> bool:
        """Whether digits of another directive are adjacent: then only the full width separates them."""
        pieces = self.pieces
        if pieces[place] in _FRACTIONS:
            return False
        before = place > 1 and not pieces[place - 1] and pieces[place - 2] in _DIGITS
        after = place + 2 < len(pieces) and not pieces[place + 1] and pieces[place + 2] in _DIGITS | _FRACTIONS
        return before or after

    def around(self, letter: str) -> tuple[str, str]:
        """Return the regular expressions of what stands before and after a directive."""
        place = self.pieces.index(letter, 1)
        return "".join(self._shapes[:place]), "".join(self._shapes[place + 1 :])

    def changed(self, directives: Mapping[str, str]) -> "Pattern":
        """Return the pattern with other text in place of some directives, given by their letters."""
        return Pattern(
            "".join(
                directives.get(piece, f"%{piece}") if place % 2 else piece for place, piece in enumerate(self.pieces)
            )
        )
