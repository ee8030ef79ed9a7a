"""The properties that a goal writes, and what each becomes: SQL expressions over `patch` and the profile before."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from cdp_sync.importing.converting.conversion import unique
from cdp_sync.importing.staging.columns import Columns, StagedValue
from cdp_sync.model import Property
from cdp_sync.warehouse import quote_identifier


@dataclass(frozen=True)
class Target:
    """A property that this goal can write: through linking, through a mapping, or both."""

    prop: Property
    linked: bool
    value: StagedValue | None

    @property
    def name(self) -> str:
        """The quoted column of the profile."""
        return quote_identifier(self.prop.name)

    @property
    def old(self) -> str:
        """The quoted name of the value before, one that no property can have."""
        return quote_identifier(f"_old_{self.prop.name}")

    @property
    def gain(self) -> str:
        """The quoted column of `patch` that holds what linking gives."""
        return quote_identifier(f"gain_{self.prop.name}")

    @property
    def said(self) -> str:
        """The quoted name of what the rows alone say, of a list of objectives."""
        return quote_identifier(f"_said_{self.prop.name}")


def targets(columns: Columns) -> tuple[Target, ...]:
    """Return the properties that the goal can write, in order."""
    linked = {prop.name: prop for prop in columns.linked_properties}
    further = (*(value.prop for value in columns.values), *columns.consent_lists)
    every = linked | {prop.name: prop for prop in further}
    values = columns.value_of
    return tuple(Target(prop, name in linked, values.get(name)) for name, prop in every.items())


def consent_targets(columns: Columns) -> tuple[Target, ...]:
    """Return the properties that hold consent, whether the goal writes them or not."""
    return tuple(Target(prop, linked=False, value=columns.value_of.get(prop.name)) for prop in columns.consent)


def becomes(target: Target, base: str) -> str:
    """Return the expression for a property's value after the run, given the one before: the set modes."""
    if target.value is None:
        return base
    column = f"patch.{quote_identifier(target.value.column)}"
    kind = target.prop.sql_type
    match target.value.mode:
        case "set":
            return f"coalesce({column}, {base})"
        case "set_if_empty":
            return f"coalesce({base}, {column})"
        case "set_or_clear":
            clear = f"patch.{quote_identifier(target.value.clear)}"
            return f"case when {clear} then null else coalesce({column}, {base}) end"
        case "add":
            joined = f"list_concat(coalesce({base}, []), {column})"
            return f"case when {column} is null then {base} else {unique(joined)} end"
        case _:
            return f"case when {column} is null then {base} else (coalesce({base}, 0) + {column})::{kind} end"


def base_of_new(target: Target) -> str:
    """Return the expression for what a new profile has before its rows are applied."""
    return f"patch.{target.gain}" if target.linked else f"null::{target.prop.sql_type}"


def base_of_old(target: Target) -> str:
    """Return the expression for what an existing profile has before its rows are applied."""
    old = f"profile.{target.name}"
    if not target.linked:
        return old
    gain = f"patch.{target.gain}"
    if not target.prop.multiple:
        return f"coalesce({old}, {gain})"
    return f"case when {gain} is null then {old} else {unique(f'list_concat(coalesce({old}, []), {gain})')} end"


def becoming(columns: Columns, every: Iterable[Target], base: Callable[[Target], str]) -> Iterator[str]:
    """Yield every property's value after the run under its name, and what `moved` needs."""
    for target in every:
        yield f"{becomes(target, base(target))} as {target.name}"
        if target.prop in columns.consent_lists:
            yield f"{_said(target, base(target))} as {target.said}"


def _said(target: Target, base: str) -> str:
    """Return the expression for the objectives that rows put on a list, whether they were on it or not."""
    if target.value is None:
        return f"null::{target.prop.sql_type}"
    column = f"patch.{quote_identifier(target.value.column)}"
    return f"case when {base} is null then {column} end" if target.value.mode == "set_if_empty" else column


def moved(columns: Columns, query: str) -> str:
    """Let an objective that comes to one list leave the other; where rows say both, it counts as refused."""
    if not columns.consent_lists:
        return query
    consented, refused = consent_targets(columns)[1:]
    kept = f"not list_contains({consented.said}, x) or coalesce(list_contains({refused.said}, x), false)"
    return f"""select * replace (
    {_left_over(consented, f"not list_contains({refused.said}, x)", refused)},
    {_left_over(refused, kept, consented)}
)
from ({query})"""


def _left_over(target: Target, kept: str, other: Target) -> str:
    left = f"nullif(list_filter({target.name}, lambda x: {kept}), [])"
    return f"case when {other.said} is null then {target.name} else {left} end as {target.name}"
