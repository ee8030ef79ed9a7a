"""How responses become the rows of delimited files. Pure: a run and the stored columns in, expressions out."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, literal_column, select, table

from cdp_sync.exporting.files.rows import FileColumn, property_column, rows_of
from cdp_sync.exporting.run import ResponseRun
from cdp_sync.exporting.select import Rows, allowed, on, problems_of
from cdp_sync.model import Property
from cdp_sync.segments.membership import PROFILE
from cdp_sync.segments.rollups import value_of
from cdp_sync.segments.statements import step
from cdp_sync.warehouse import Step

Columns = list[tuple[Property, str]]
"""Properties that columns are written as, each with the expression for its value."""


def response_columns(run: ResponseRun) -> Columns:
    """Return what follows the contact in a row of responses."""
    found: Columns = []
    roles = run.goal.types(run.profiles)
    for role in roles:
        is_kind = role == "bounced"
        prop = Property(name=role, type="text" if is_kind else "number")
        found.append((prop, "staged.bounced_kind" if is_kind else f"staged.{role}"))
    for role in roles:
        for end in ("first", "last"):
            name = f"{end}_{role}_at"
            found.append((Property(name=name, type="datetime"), f"staged.{name}"))
    return found


def link_columns() -> Columns:
    """Return what follows the contact in a row of a link."""
    return [
        (Property(name="link"), "staged.link"),
        (Property(name="clicks", type="number"), "staged.clicks"),
        (Property(name="first_clicked_at", type="datetime"), "staged.first_at"),
        (Property(name="last_clicked_at", type="datetime"), "staged.last_at"),
    ]


def counted_columns(run: ResponseRun) -> str:
    """Return the expressions of the table of contacts for what its rows hold of each type of events."""
    return "".join(
        f""",
    count(*) filter (role = '{role}') as {role},
    min(happened_at) filter (role = '{role}') as first_{role}_at,
    max(happened_at) filter (role = '{role}') as last_{role}_at"""
        for role in run.goal.types(run.profiles)
    )


def file_rows(run: ResponseRun, further: Columns) -> Rows:
    """Return how rows of a staged table become lines: mailing, contact and what follows them."""
    props = [Property(name="mailing"), *run.goal.contacts(run.profiles), *(prop for prop, _ in further)]
    columns: list[FileColumn] = [
        property_column(number, prop.name, prop, run.goal.format, {}) for number, prop in enumerate(props)
    ]
    return rows_of(columns, run.goal.format)


def made_step(run: ResponseRun, name: str, further: Columns, known: Collection[str], *, keep_cells: bool) -> Step:
    """Return the query for the lines of a staged table, `contact` or `link`, with problems, and cells if asked for."""
    staged = table(name, schema="staging").alias("staged")
    contacts = [value_of(prop, run.profiles, run.now, known) for prop in run.goal.contacts(run.profiles)]
    values: list[ColumnElement[object]] = [_read("staged.mailing"), *contacts, *(_read(sql) for _, sql in further)]
    own = {
        "link": "staged.name" if name == "link" else "''",
        "events": "0" if name == "link" else "staged.events",
        "allowed": f"({allowed(run, known)})",
        **{column: f"staged.{column}" for column in ("mailing", "profile_id", "first_at")},
    }
    chosen = select(
        *(_read(sql).label(column) for column, sql in own.items()),
        *(value.label(f"v{number}") for number, value in enumerate(values)),
    ).select_from(staged.join(PROFILE, _read("profile.profile_id") == _read("staged.profile_id")))
    source, rows = step(name, chosen), file_rows(run, further)
    made = on(source.sql, {"eligible": "allowed"})
    for level in (*rows.cells, *rows.finish, *rows.line):
        made = on(made, level)
    cells = f"[{', '.join(f'{cell}::varchar' for cell in rows.shown.values())}]" if keep_cells else "null::varchar[]"
    made = on(made, {"problems": problems_of(rows, "eligible"), "cells": cells})
    kept = "mailing, link, profile_id, events, first_at, allowed, line, problems, cells"
    return Step("made", f"select {kept} from (\n{made}\n)", source.values)


def _read(sql: str) -> ColumnElement[object]:
    return literal_column(sql)
