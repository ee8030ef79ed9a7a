"""Whether a project's fields can hold what an export goal maps to them."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from cdp_sync.model.suggestion import allowed

if TYPE_CHECKING:
    from cdp_sync.connectors.iterable.goals import UserExportGoal

MOST_FIELDS = 1000
"""Fields of a project's users, about (Iterable's pages about field types)."""

_TEXT = ("text", "email", "group")
_FITTING: Mapping[str, tuple[str, ...]] = {
    "text": ("string",),
    "email": ("string",),
    "group": ("string",),
    "number": ("long", "double"),
    "decimal": ("double",),
    "date": ("date", "string"),
    "datetime": ("date", "string"),
    "boolean": ("boolean",),
}
"""The field types at Iterable that take the values of a property type, single or several."""


def field_problems(goal: "UserExportGoal", types: Mapping[str, str], known: Mapping[str, str]) -> Iterator[str]:
    """Yield which of the mapped fields cannot hold what is mapped to them.

    Args:
        goal: The export goal.
        types: The type of each mapped field's property.
        known: The fields at Iterable and their types, nested ones with dotted names.
    """
    known = {name: kind.lower() for name, kind in known.items()}
    mapped = {name: kind for name, kind in types.items() if name in goal.data_fields}
    for name, kind in mapped.items():
        parents = (name[:place] for place, sign in enumerate(name) if sign == ".")
        flat = next((parent for parent in parents if known.get(parent, "object") not in ("object", "nested")), None)
        if flat:
            yield f"field {name!r}: {flat!r} is {known[flat]} at Iterable, and no object with fields of its own."
        elif name not in known:
            if not goal.create_fields:
                yield f"field {name!r}: the project does not have it, and create_fields is off; {_known(name, known)}"
        elif known[name] not in _FITTING[kind] and not (goal.processors and kind not in _TEXT):
            fitting = " or ".join(_FITTING[kind])
            yield f"field {name!r}: its type is {known[name]} at Iterable; {kind} needs {fitting}."
    new = sum(name not in known for name in mapped)
    if new and goal.create_fields and len(known) + new > MOST_FIELDS:
        yield f"{new} new fields: the project has {len(known)}, and may have about {MOST_FIELDS:,}."


def _known(name: str, known: Mapping[str, str]) -> str:
    return allowed(name, sorted(known))
