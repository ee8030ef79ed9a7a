"""The values that columns of exports hold, as SQL expressions over a profile."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, null

from cdp_sync.exporting.run import ExportRun
from cdp_sync.model import ExportColumn, Property
from cdp_sync.segments.groups import group_value
from cdp_sync.segments.rollups import value_of
from cdp_sync.warehouse import quote_literal

FULL_PERMISSION = 2
"""The permission level at which personal properties may leave, and that of profiles of which nothing is known."""


def column_value(
    run: ExportRun, columns: Collection[str], declared: ExportColumn, prop: Property
) -> ColumnElement[Any]:
    """Return the value that a column holds, which is one of `prop`."""
    if declared.group:
        return group_value(declared.group, prop, run.profiles, columns)
    if declared.permission_level:
        level = run.profiles.permission_level
        known = value_of(level, run.profiles, run.now, columns) if level else null()
        return func.coalesce(known, literal_column(str(FULL_PERMISSION)))
    return value_of(prop, run.profiles, run.now, columns)


def stages_of(run: ExportRun, declared: ExportColumn, *, titles: bool = False) -> ColumnElement[Any]:
    """Return the list of a profile's stages in the lifecycles of a column, each as `lifecycle: stage`, in order."""
    named = [run.profiles.lifecycle[name] for name in declared.lifecycle_names(run.profiles)]
    shown = [
        (each.name, stage, each.shown(stage, titles=titles))
        for each in named
        if each.enabled
        for stage in each.every_stage
    ]
    if not shown:
        return literal_column("[]::text[]")
    rows = ", ".join(f"({place}, {', '.join(map(quote_literal, names))})" for place, names in enumerate(shown))
    return literal_column(f"""coalesce((
        select list(shown.label order by shown.place)
        from warehouse.lifecycle_stage kept
        join (values {rows}) shown(place, lifecycle, stage, label)
            on shown.lifecycle = kept.lifecycle and shown.stage = kept.stage
        where kept.profile_id = profile.profile_id
    ), [])""")
