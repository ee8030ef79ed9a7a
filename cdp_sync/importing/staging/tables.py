"""The contract of staging: every intermediate table that one function of an import leaves to another.

Tables named `staging.…` stand in the run's staging file and outlive an op; the others are temporary tables or views and
end with the session. A table that only one function needs is a common table expression and does not stand here.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cdp_sync.importing.staging.columns import Columns
from cdp_sync.warehouse import Session, quote_identifier


@dataclass(frozen=True)
class Table:
    """An intermediate table.

    Args:
        name: As SQL names it.
        holds: What a row is.
        producer: The function of `importing` that makes or fills it; modules beside it may read it.
        columns: Names and types; empty where they depend on the goal.
        varies: What determines the columns, where they depend on the goal.
        others: The other parts of `importing` that read it.
    """

    name: str
    holds: str
    producer: str
    columns: str = ""
    varies: str = ""
    others: tuple[str, ...] = ()


_MAPPING = "the goal's links, mapped properties and set modes: `Columns.declared`"

# fmt: off
FROM_THE_START = (
    Table("staging.file", "a file of the run, and what is known of its previous import",
          "staging.parsing.stage_files",
          "file integer, path text, size bigint, modified_at timestamptz, sha256 text, source uuid, fields text[], "
          "state text, message text, warnings text[], same_fingerprint boolean, same_links boolean, "
          "source_fields text[]",
          others=("delta", "events", "faults", "linking", "report", "upserting")),
    Table("staging.detected_type", "the SQL type of a detected property, where the source knows types",
          "staging.detected_types.note_types", "property text, sql_type text"),
    Table("staging.part", "a file, or a member of an archive: its staged rows, the line of the first, and its header",
          "reading.readers.stage_rows",
          "part integer, file integer, name text, first_row bigint, rows bigint, body_line bigint, columns text[]",
          others=("delta", "faults", "linking", "staging", "upserting")),
    Table("staging.line_gap", "a row from which on lines and rows differ by another number",
          "reading.readers.stage_rows", "part integer, row bigint, gap bigint",
          others=("delta", "linking", "staging", "upserting")),
    Table("staging.rejected", "a line that is no row, and why", "reading.readers.stage_rows",
          "file integer, part integer, line bigint, raw text, reason text",
          others=("delta", "faults", "staging", "upserting")),
    Table("staging.read_before",
          "the digest of a row as the file's previous import read it, where the format has changed",
          "staging.parsing.stage_files", "row bigint, row_hash uuid", others=("delta", "upserting")),
    Table("staging.retried", "a row that waited for a profile, and one with its identifiers exists now",
          "linking.waiting.stage_waiting",
          "source uuid, file text, path text, line bigint, run_id text, fields text[], cells text[]",
          others=("staging", "upserting")),
    Table("staging.set_aside",
          "a row without a row key, with the row key of a later row of its file, or that a strict goal refuses",
          "delta.replace.compare_rows", "row bigint, file integer, row_key uuid, reason text",
          others=("faults", "upserting")),
    Table("staging.watermark", "how far a stream was read when a file arrived, or the stream that a file appends to",
          "delta.watermarks.note_watermarks", "file integer, stream text, kind text, value text"),
    Table("staging.compared", "the warehouse's revision that rows were compared at", "delta.replace.compare_rows",
          "revision bigint"),
    Table("staging.linked", "the warehouse's revision that rows were linked at", "linking.linking.assign_rows",
          "revision bigint", others=("upserting",)),
)
"""Made before the first file is parsed."""

STAGING_FILE = (
    *FROM_THE_START,
    Table("staging.staged", "a row of a file; `cells` holds its cells as one text where their conversion is "
          "deferred, and `filtered` is 1 where a processor dropped it and else 0",
          "staging.parsing.stage_files", varies=_MAPPING,
          others=("delta", "faults", "linking", "reading", "sources", "upserting")),
    Table("staging.previous_row", "a row of the previous import of a file", "delta.replace.compare_rows",
          "file integer, same_fingerprint boolean, row_hash uuid, source_hash uuid, applied boolean, profile_id uuid, "
          "sums struct(property varchar, amount varchar)[], read_hash uuid", others=("report", "upserting")),
    Table("staging.changed_hash", "the digest of rows that a file holds more or less often than its previous import",
          "delta.replace.compare_rows", "file integer, row_hash uuid"),
    Table("staging.previous_by_key", "what the key of a staged row last brought; only with `row_key`",
          "delta.replace.compare_rows", varies="the columns of `warehouse.keyed_row`", others=("upserting",)),
    Table("staging.unchanged", "a staged row that an earlier import applied", "delta.replace.compare_rows",
          "row bigint, file integer, row_hash uuid", others=("upserting",)),
    Table("staging.previous",
          "a row to apply that a previous import read: the profile it was applied to, and what it added to sums",
          "delta.replace.compare_rows",
          "row bigint, file integer, row_hash uuid, nth bigint, profile_id uuid, sums struct(property varchar, "
          "amount varchar)[]", others=("linking", "upserting")),
    Table("staging.gone_row",
          "the rows of one content that a file holds less often than before; only without `row_key`",
          "delta.replace.compare_rows",
          "source uuid, row_hash uuid, kept bigint, profile_id uuid, sums struct(property varchar, amount varchar)[], "
          "source_hash uuid",
          others=("upserting",)),
    Table("staging.fresh_row",
          "a row to apply, where those are the smaller part of the staged rows or were converted late",
          "delta.replace.select_fresh_rows", varies=_MAPPING, others=("staging", "upserting")),
    Table("staging.fresh", "a row to apply, converted", "delta.replace.select_fresh_rows", varies=_MAPPING,
          others=("events", "faults", "linking", "report", "sources", "upserting")),
    Table("staging.granted", "a link value that a profile takes", "linking.linking.grant_values",
          "rank hugeint, property varchar, value varchar, multiple boolean, profile_id uuid", others=("upserting",)),
    Table("staging.assigned", "a fresh row with its profile and its outcome", "linking.linking.assign_rows",
          "row bigint, profile_id uuid, outcome varchar, ambiguous boolean, alone boolean",
          others=("events", "faults", "upserting")),
)

COMPARING = (
    Table("chosen_row", "a row to apply, before it is converted", "delta.replace.select_fresh_rows", "row bigint"),
)

ENRICHING = (
    Table("staging.user_key", "a person of a platform with the fields that were looked up",
          "sources.profiles.enrich_rows", varies="`Enricher.fields`", others=("staging",)),
    Table("wanted", "a person whose rows lack a field", "sources.profiles.enrich_rows", "platform_id varchar"),
    Table("person", "a person of the files, with the digest of a field that they lack", "sources.profiles.enrich_rows",
          "platform_id varchar, digest varchar"),
    Table("found", "the fields that were looked up for a person, converted", "staging.plan.found_step",
          varies=_MAPPING, others=("sources",)),
)

LINKING = (
    Table("link_value", "a link value of a fresh row", "linking.linking.match_rows",
          "row bigint, link integer, property varchar, place bigint, value varchar, multiple boolean"),
    Table("matched", "a fresh row whose links find a profile", "linking.linking.match_rows",
          "row bigint, profile_id uuid, ambiguous boolean"),
    Table("unmatched_value", "a link value of a row that is not matched; only where a row can have several",
          "linking.linking.connect_rows", "row bigint, property varchar, value varchar"),
    Table("component", "a row that is not matched, with the smallest row that it is connected to by shared values",
          "linking.linking.connect_rows", "row bigint, component bigint"),
    Table("next_component", "the same after one more round", "linking.linking.connect_rows",
          "row bigint, component bigint"),
    Table("component_profile", "a component that shares a value with a profile that took it",
          "linking.linking.grant_values", "component bigint, profile_id uuid"),
    Table("claim", "a link value that a profile can take", "linking.linking.grant_values",
          "rank bigint, property varchar, value varchar, multiple boolean, profile_id uuid"),
)

UPSERTING = (
    Table("contribution", "a row to apply that added something before, or has a key",
          "upserting.contributions.contribution_step", varies="whether the goal's rows have keys"),
    Table("touched_profile", "a profile that rows are assigned to, or that loses what rows added",
          "upserting.patch.patch_steps",
          "profile_id uuid, is_new boolean, first_row bigint, rows bigint, file integer"),
    Table("row_value", "a row to apply with what it says for each property", "upserting.contributions.row_value_step",
          varies=_MAPPING),
    Table("patch", "a touched profile with what its rows say for each property", "upserting.patch.patch_steps",
          varies=_MAPPING),
    Table("withheld_profile", "a profile whose consent does not allow processing", "upserting.withheld.withheld_steps",
          "profile_id uuid"),
    Table("vanished_row", "rows that added amounts and that their file no longer holds",
          "upserting.upsert.upsert_rows",
          "file integer, row_hash uuid, profile_id uuid, sums struct(property varchar, amount varchar)[], times "
          "bigint"),
    Table("reversal", "amounts to take back from a profile", "upserting.contributions.reversal_steps",
          "profile_id uuid, file integer, sums struct(property varchar, amount varchar)[]"),
    Table("replaced_row", "what a key brought before, and the row that replaces it",
          "upserting.contributions.reversal_steps", varies="the columns of `warehouse.keyed_row`"),
    Table("list_value", "a value that a row with a key says for a list", "upserting.contributions.list_steps",
          "row bigint, profile_id uuid, property varchar, value varchar"),
    Table("added_value", "a row with the values that it added to lists", "upserting.contributions.list_steps",
          "row bigint, lists struct(property varchar, value varchar)[]"),
    Table("reversed_value", "a value to take off a list of a profile", "upserting.contributions.list_steps",
          "profile_id uuid, property varchar, value varchar, file integer"),
    Table("profile_reversal", "a profile with all that is taken back from it",
          "upserting.contributions.profile_reversal_steps", varies="the goal's sums and lists"),
    Table("changed_profile", "an existing profile that differs after the run, as it is then",
          "upserting.plan.outcome_steps", varies=_MAPPING),
    Table("file_counters", "the counters of a file", "upserting.plan.outcome_steps", varies="`model.Counters`",
          others=("report",)),
    Table("profile_sample", "one of the last profiles that the run creates or updates",
          "upserting.upsert.sample_steps",
          "profile_id uuid, kind varchar, place bigint, properties varchar[], stored_at bigint",
          others=("report",)),
    Table("value_before", "a value of a sampled profile before the run", "upserting.upsert.sample_steps",
          "profile_id uuid, kind varchar, property varchar, value varchar"),
    Table("held_profile", "what a touched profile has by itself; only where some are merged",
          "upserting.plan.outcome_steps", varies="the columns of `warehouse.profile`"),
    Table("mate_consent", "what other parts of a merged profile say of consent", "upserting.withheld.withheld_steps",
          "profile_id uuid, mates_consented varchar[], mates_refused varchar[], mates_zones varchar[]"),
    Table("touched_part", "a part of a merged profile that rows are about", "upserting.merging.separate_touched",
          "profile_id uuid"),
    Table("merge_candidate", "a new profile that may share a value of a rule", "upserting.merging.prepare_merges",
          "profile_id uuid"),
    Table("lost_value", "a value of a rule that a profile has no more", "upserting.merging.prepare_merges",
          "property text, value text"),
    Table("checked_profile", "a profile to look at for what makes it one with others", "upserting.merging.land_merges",
          "profile_id uuid"),
    Table("said_at", "when the value of a profile's property was said", "upserting.merging.land_merges",
          "profile_id uuid, said_at timestamptz"),
    Table("outgrown", "a cell with which the sum of its profile outgrows the property",
          "upserting.upsert.leave_out_what_outgrows", "row bigint, property varchar"),
)

LANDING_EVENTS = (
    Table("event_outcome", "what a run does to a file's events of one type", "events.landing.land_events",
          "file integer, touched bigint, created bigint, updated bigint, waiting bigint, contested bigint, "
          "doubtful bigint, expired bigint, repeated bigint", others=("report",)),
    Table("expired_row", "a row about an event that was removed because of its age", "events.landing.land_events",
          "_row bigint, _file integer, event_id varchar"),
    Table("event_row", "a row to apply with one of its events", "events.landing.land_events",
          varies="the properties that the goal's `events` fill"),
    Table("scattered_event", "an event whose rows are far from each other, and how many it has",
          "events.portions.portions", "event_id varchar, rows bigint"),
    Table("touched_event", "an event that rows are about", "events.landing.land_events",
          varies="whether rows are items"),
    Table("event_patch", "an event with what its rows say", "events.landing.land_events",
          varies="the properties that the goal's `events` fill"),
    Table("changed_event", "an event that is new or differs, as it is after the run", "events.landing.land_events",
          varies="the columns of the type's table"),
)
# fmt: on

CONTRACT = {
    table.name: table for table in (*STAGING_FILE, *COMPARING, *ENRICHING, *LINKING, *UPSERTING, *LANDING_EVENTS)
}
"""Every table by name: one name is one table."""


def create_tables(session: Session, columns: Columns) -> None:
    """Create the tables that stand in the staging file from the start; `staged` without columns of converted cells."""
    created = [f"create table if not exists {table.name} ({table.columns})" for table in FROM_THE_START]
    staged = f"{typed(columns.identity)}, cells text, filtered tinyint default 0"
    session.execute("; ".join([*created, f"create table if not exists staging.staged ({staged})"]))


def add_columns(session: Session, columns: Columns) -> None:
    """Add the columns that `staged` lacks. Where no cell is converted while it is read, they need not be written."""
    held = {name for name, *_ in session.rows("describe staging.staged")}
    for name, kind in columns.declared:
        if name not in held:
            session.execute(f"alter table staging.staged add column {quote_identifier(name)} {kind}")


def typed(columns: Iterable[tuple[str, str]]) -> str:
    """Return names with their types, as a statement that makes a table has them."""
    return ", ".join(f"{quote_identifier(name)} {kind}" for name, kind in columns)
