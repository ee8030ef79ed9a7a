"""Smart lists: the part of Sailthru's query object that the sandbox knows.

Parallel arrays, as the vendor's pages say: `{"source_list": "Main", "query_mode": "and", "criteria": ["match"],
"field": ["plan"], "value": ["pro"]}`. A criterion that is not in the table below is refused rather than ignored.
"""

from collections.abc import Callable, Mapping
from itertools import zip_longest
from math import nan
from typing import TYPE_CHECKING, Any

from cdp_sync.sandbox.api import Refused

if TYPE_CHECKING:
    from cdp_sync.sandbox.sailthru.account import User

_Criterion = Callable[["User", str, Any], bool]


def check_query(query: Mapping[str, Any]) -> None:
    """Raise Refused if there is no query, or one with an unknown criterion."""
    if not query:
        raise Refused(400, "Missing required parameter: query", 2)
    for unknown in set(_column(query, "criteria")) - _CRITERIA.keys():
        raise Refused(400, f"The sandbox does not know the criterion {unknown}")


def matches(query: Mapping[str, Any], user: "User") -> bool:
    """Return whether a query finds a user."""
    sources = _column(query, "multiple_source_list" if query.get("source_list") == ".multiple" else "source_list")
    if sources and not user.lists.keys() & set(sources):
        return False
    columns = [_column(query, name) for name in ("criteria", "field", "value")]
    rows = zip_longest(*(column[: len(columns[0])] for column in columns), fillvalue="")
    met = [_CRITERIA[criterion](user, str(field), value) for criterion, field, value in rows]
    return not met or (any(met) if query.get("query_mode") == "or" else all(met))


def _column(query: Mapping[str, Any], name: str) -> list[Any]:
    found = query.get(name) or []
    return found if isinstance(found, list) else [found]


def _equal(user: "User", field: str, value: Any) -> bool:  # noqa: ANN401 - any JSON
    found = user.vars.get(field)
    return value in found if isinstance(found, list) else found == value or str(found) == str(value)


def _above(user: "User", field: str, value: Any) -> float:  # noqa: ANN401 - any JSON
    """Return how far a field is above a value; NaN, which no comparison meets, where one is not a number."""
    try:
        return float(user.vars[field]) - float(value)
    except (KeyError, TypeError, ValueError):
        return nan


_CRITERIA: dict[str, _Criterion] = {
    "match": _equal,
    "not": lambda user, field, value: not _equal(user, field, value),
    "gt": lambda user, field, value: _above(user, field, value) > 0,
    "lt": lambda user, field, value: _above(user, field, value) < 0,
    "min": lambda user, field, value: _above(user, field, value) >= 0,
    "max": lambda user, field, value: _above(user, field, value) <= 0,
    "domain": lambda user, _field, value: (user.email or "").endswith(f"@{value}".lower()),
    "list_member_not": lambda user, _field, value: value not in user.lists,
}
