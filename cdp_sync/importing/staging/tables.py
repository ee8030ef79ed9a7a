"""The tables of a run's staging file."""

from cdp_sync.importing.staging.columns import Columns
from cdp_sync.warehouse import Session, quote_identifier

_TABLES = """
create table if not exists staging.file (
    file integer,
    path text,
    size bigint,
    modified_at timestamptz,
    sha256 text,
    source uuid,
    fields text[],
    state text,
    message text,
    warnings text[],
    same_fingerprint boolean,
    same_links boolean
);
create table if not exists staging.part (
    part integer, file integer, name text, first_row bigint, rows bigint, body_line bigint
);
create table if not exists staging.line_gap (part integer, row bigint, gap bigint);
create table if not exists staging.set_aside (row bigint, file integer, row_key uuid, reason text);
create table if not exists staging.retried (
    source uuid, file text, path text, line bigint, run_id text, fields text[], cells text[]
);
create table if not exists staging.read_before (row bigint, row_hash uuid);
create table if not exists staging.watermark (file integer, stream text, kind text, value text);
create table if not exists staging.rejected (file integer, part integer, line bigint, raw text, reason text);
"""


def create_tables(session: Session, columns: Columns) -> None:
    """Create the staging tables, or add the columns that a file of another shape brings.

    A row of `staged` has its values, or `cells`: all of them as one text, not converted yet.
    """
    session.execute(_TABLES)
    declared = ", ".join(f"{quote_identifier(name)} {kind}" for name, kind in columns.declared)
    session.execute(f"create table if not exists staging.staged ({declared}, cells text)")
    there = {name for name, *_ in session.rows("describe staging.staged")}
    for name, kind in columns.declared:
        if name not in there:
            session.execute(f"alter table staging.staged add column {quote_identifier(name)} {kind}")
