"""Who is on a smart list: the part of Sailthru's query object that is played here.

Parallel arrays, as the vendor's pages tell: `{"source_list": "Main", "query_mode": "and", "criteria": ["match"],
"field": ["plan"], "value": ["pro"]}`. Criteria `match`, `not`, `gt`, `lt`, `min`, `max`, `domain` and
`list_member_not`; any other is refused rather than ignored.
"""

from collections.abc import Callable, Mapping
from typing import Any

from cdp_sync.sandbox.sailthru.people import User
from cdp_sync.sandbox.sailthru.refusal import invalid, missing

_Criterion = Callable[[User, str, Any], bool]


def check_query(query: Mapping[str, Any]) -> None:
    """Raise if there is no query, or one that is not played here."""
    if not query:
        raise missing("query")
    for criterion in _column(query, "criteria"):
        if criterion not in _CRITERIA:
            raise invalid(f"The sandbox does not play the criterion {criterion}")


def matches(query: Mapping[str, Any], user: User) -> bool:
    """Tell whether a user is one of those that a query finds."""
    sources = _sources(query)
    if sources and not any(name in user.lists for name in sources):
        return False
    criteria = _column(query, "criteria")
    fields, values = _column(query, "field"), _column(query, "value")
    if not criteria:
        return True
    met = (
        _CRITERIA[criterion](user, str(_at(fields, place)), _at(values, place))
        for place, criterion in enumerate(criteria)
    )
    return any(met) if query.get("query_mode") == "or" else all(met)


def _sources(query: Mapping[str, Any]) -> list[str]:
    if query.get("source_list") == ".multiple":
        return list(query.get("multiple_source_list") or [])
    return [query["source_list"]] if query.get("source_list") else []


def _column(query: Mapping[str, Any], name: str) -> list[Any]:
    found = query.get(name) or []
    return found if isinstance(found, list) else [found]


def _at(column: list[Any], place: int) -> Any:  # noqa: ANN401 - as JSON
    return column[place] if place < len(column) else ""


def _equal(user: User, field: str, value: Any) -> bool:  # noqa: ANN401
    found = user.vars.get(field)
    return value in found if isinstance(found, list) else found == value or str(found) == str(value)


def _compared(found: Any, value: Any) -> int | None:  # noqa: ANN401
    try:
        number, limit = float(found), float(value)
    except (TypeError, ValueError):
        return None
    return (number > limit) - (number < limit)


def _in(allowed: set[int]) -> _Criterion:
    return lambda user, field, value: _compared(user.vars.get(field), value) in allowed


_CRITERIA: dict[str, _Criterion] = {
    "match": _equal,
    "not": lambda user, field, value: not _equal(user, field, value),
    "gt": _in({1}),
    "lt": _in({-1}),
    "min": _in({0, 1}),
    "max": _in({-1, 0}),
    "domain": lambda user, _field, value: (user.email or "").endswith(f"@{value}".lower()),
    "list_member_not": lambda user, _field, value: value not in user.lists,
}
