"""What a run of a goal did, read back from its staging file."""

from collections.abc import Iterator

from cdp_sync.importing.converting.text import ROUNDED
from cdp_sync.importing.run import ImportRun
from cdp_sync.importing.sources.arrivals import goal_key, state_of
from cdp_sync.importing.staging.columns import Columns, staged_columns
from cdp_sync.merging.report import Merges
from cdp_sync.model import GROUP_ID, Counters, FileReport, FileState, ImportReport, ProfileSample, RemoteFile
from cdp_sync.warehouse import Entity, Session, quote_identifier, quote_literal
from cdp_sync.warehouse.history import COUNTED_REASON, ever_exchanged


def report_of(session: Session, run: ImportRun, merges: Merges, *, applied: bool) -> ImportReport:
    """Return the report of a run; `applied` says that this session has counted its rows and chosen a sample."""
    counted = session.records("from file_counters") if applied else []
    counters = {each.pop("file"): Counters(**{name: int(count) for name, count in each.items()}) for each in counted}
    entity = Entity(run.records)
    of_cells: dict[int, list[str]] = {}
    if counters:
        of_cells = _warnings(session, run)
        of_cells.setdefault(min(counters), []).extend(dict.fromkeys(each.words for each in merges.blocked))
    # People know a group by its own id. To find the few profiles would cost by the number of all.
    of_group = f"(select {entity.key} as profile_id, {GROUP_ID} as shown from {entity.stored})"
    shown, named = ("profile_id", "") if entity.is_person else ("shown", f"join {of_group} using (profile_id)")
    sampled = f"select {shown}::text, kind, properties from profile_sample {named} order by kind, place desc"
    samples = session.rows(sampled) if applied else []
    files = "select file, path, state, message, warnings, size, modified_at from staging.file order by file"
    goal = goal_key(run.goal.name, run.fingerprint)
    reports = tuple(
        FileReport(
            path,
            FileState.IMPORTED if state == FileState.STAGED else FileState(state),
            counters.get(number, Counters()),
            message or "",
            tuple(dict.fromkeys((*(warnings or ()), *of_cells.get(number, ())))),
            state_of(goal, RemoteFile(modified_at, path, size)).hex() if modified_at else "",
        )
        for number, path, state, message, warnings, size, modified_at in session.rows(files)
    )
    return ImportReport(
        run.goal.name,
        reports,
        tuple(ProfileSample(profile, kind, tuple(names or ())) for profile, kind, names in samples),
        reasons=_reasons(session, run),
        noun=run.records.noun,
        records_total=session.value(f"select count(*) from {entity.live}"),
        profiles_ever_imported=ever_exchanged(session, run.connection, "import") if entity.is_person else None,
    )


def _warnings(session: Session, run: ImportRun) -> dict[int, list[str]]:
    """Return the warnings about the cells of each file, by the file's number."""
    columns, found = staged_columns(session, run), dict[int, list[str]]()
    for number, warning in (
        *_doubtful_times(session, run),
        *_rounded(session, columns),
        *_about_events(session, columns),
        *_about_changed_ids(session, columns),
    ):
        found.setdefault(number, []).append(warning)
    return found


def _reasons(session: Session, run: ImportRun) -> tuple[tuple[str, int], ...]:
    """Return the ten most frequent reasons, and the others as one."""
    query = f"""
        with counted as (
            select coalesce(field || ': ', '') || {COUNTED_REASON} as why, count(*) as times
            from warehouse.quarantine
            where run_id = ? and connection = ? and goal = ?
            group by all
        )
        select case when place <= 10 then why else 'other reasons; see the quarantine' end as shown, sum(times)::bigint
        from (select *, row_number() over (order by times desc, why) as place from counted)
        group by shown
        order by min(place)"""
    return tuple(session.rows(query, [run.run_id, run.connection, run.goal.name]))


def _doubtful_times(session: Session, run: ImportRun) -> Iterator[tuple[int, str]]:
    zone = run.goal.format.time_zone
    if zone == "UTC":
        return
    query = """
        select file, field, count(*)
        from (select file, unnest(doubtful) as field from staging.fresh where doubtful is not null)
        group by all order by all"""
    for file, field, count in session.rows(query):
        odd = "time does not exist or exists" if count == 1 else "times do not exist or exist"
        rule = "a skipped time is moved forward, of a repeated one the second is taken"
        yield file, f"{field}: {count:,} {odd} twice in {zone}; {rule}. Have times written with their offset."


def _about_changed_ids(session: Session, columns: Columns) -> Iterator[tuple[int, str]]:
    if all(event.id for event in columns.events):
        return
    warning = (
        "It was imported before, under another declaration. Its events have no id but their content: those of which "
        "more or other properties are imported now are there twice. Map an id."
    )
    query = """
        select distinct file
        from event_outcome
        where created > 0 and file in (select file from staging.previous_row where not same_fingerprint)"""
    for (file,) in session.rows(query):
        yield file, warning


def _about_events(session: Session, columns: Columns) -> Iterator[tuple[int, str]]:
    if not columns.events:
        return
    query = """
        select file, sum(waiting), sum(contested), sum(doubtful), sum(expired), sum(repeated)
        from event_outcome
        group by file order by file"""
    for file, waiting, contested, doubtful, expired, repeated in session.rows(query):
        if waiting:
            yield file, f"Events that wait: {waiting:,}. No row has said yet whose they are, or when they happened."
        if contested:
            yield file, f"Events whose id came with another person before: {contested:,}. The later row has them."
        if doubtful:
            yield file, f"Events before 1970 or in the future: {doubtful:,}. They are kept; check the time field."
        if expired:
            yield file, f"Events that were removed because of their age and do not come back: {expired:,}."
        if repeated:
            rule = "The last one counts; give items an id of their own"
            yield file, f"Items that came more than once in one event: {repeated:,}. {rule}."


def _rounded(session: Session, columns: Columns) -> Iterator[tuple[int, str]]:
    shape = quote_literal(ROUNDED)
    for field, values in _texts_that_identify(columns):
        query = f"""
            select file, count(*) from (select file, {values} as value from staging.fresh)
            where ends_with(value, '00000') and regexp_full_match(value, {shape})
            group by all order by all"""
        for file, count in session.rows(query):
            odd = "identifier looks" if count == 1 else "identifiers look"
            why = "15 digits or more, zeros at the end, as a spreadsheet leaves them"
            yield file, f"{field}: {count:,} {odd} rounded ({why}). Export the column as text."


def _texts_that_identify(columns: Columns) -> Iterator[tuple[str, str]]:
    """Yield the fields with identifiers of people, events and items that are text, and the expression for each.

    Not those in JSON, which no spreadsheet changes.
    """
    linked = {(link.field, link.prop.name) for link in columns.links}
    texts = [(link.field, link.prop, link.column) for link in columns.links]
    for value in columns.values:
        further = [field for field in value.fields if (field, value.prop.name) not in linked]
        if value.prop.identifier and further:
            texts.append((" and ".join(further), value.prop, value.column))
    texts += [(event.id.fields[0], event.id.prop, event.id_column) for event in columns.events if event.id]
    for field, prop, column in texts:
        if prop.type == "text":
            yield field, f"unnest({quote_identifier(column)})" if prop.multiple else quote_identifier(column)
    for items in (items for event in columns.events for items in event.items if not items.field):
        if items.identifier and items.identifier.type == "text":
            name = items.identifier.name
            yield items.named[name], f"{quote_identifier(items.column)}.{quote_identifier(name)}"
