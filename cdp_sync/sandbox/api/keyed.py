"""Objects that are found by any of several unique keys."""

from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Keyed(Generic[T]):
    """An index of objects by their attributes `keys`; no two objects share a value."""

    def __init__(self, *keys: str) -> None:
        self._by: Mapping[str, dict[str, T]] = {key: {} for key in keys}

    def find(self, key: str, value: str) -> T | None:
        """Return the object with a key."""
        return self._by[key].get(value)

    def set(self, found: T, key: str, value: str) -> None:
        """Set a key in the place of the former one.

        Raises:
            ValueError: Another object has it.
        """
        if self._by[key].get(value, found) is not found:
            raise ValueError(f"Another object has this {key}.")
        self._by[key].pop(getattr(found, key), None)
        setattr(found, key, value)
        self._by[key][value] = found

    def remove(self, found: T) -> None:
        """Remove an object."""
        for key, objects in self._by.items():
            objects.pop(getattr(found, key), None)
