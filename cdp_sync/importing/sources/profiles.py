"""Fetches the profiles of a platform, and looks up what they lack: addresses that come as digests, and further keys.

An address that the warehouse knows by the digest needs no call. The platform is asked about the rest, one call a
person, and only about rows that are to be applied.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

from cdp_sync.importing.converting.conversion import unique
from cdp_sync.importing.delta.replace import compare_rows, select_fresh_rows
from cdp_sync.importing.reading.normalize import fields_of
from cdp_sync.importing.run import ImportRun, refuse_rivals
from cdp_sync.importing.sources.port import Enricher, Progress, Resumable, Source
from cdp_sync.importing.staging.columns import Columns, staged_columns
from cdp_sync.importing.staging.parsing import stage_files
from cdp_sync.importing.staging.plan import found_step
from cdp_sync.model import FetchedFile, FileReport, ImportGoal, counted
from cdp_sync.private import private_folder
from cdp_sync.warehouse import Session, Step, known_files, quote_identifier, quote_literal, statement, watermarks_of


def fetch_profiles(
    run: ImportRun, source: Source, progress: Progress, *, tell: Callable[[str], None] = lambda _: None
) -> str:
    """Stage what the source has, and look up the fields that it lacks; return what was looked up, for the log.

    `progress` is called while a part arrives, `tell` with what is done when that takes long.

    Raises:
        GoalFailed: Another goal has imported the same with the same links and sums.
    """
    fetched: list[FetchedFile] = []

    def arriving() -> Iterator[FetchedFile | FileReport]:
        for arrival in source.arrivals(run.folder, progress):
            fetched.extend([arrival] if isinstance(arrival, FetchedFile) else [])
            yield arrival

    refuse_rivals(run, [(path, None, None) for path in source.paths])
    _resume(run, source)
    staged = {report.path for report in stage_files(run, arriving()) if report.state == "staged"}
    files = [each for each in fetched if each.remote.path in staged]
    if source.enricher is None:
        return ""
    # The linked and mapped fields that can be looked up and that some file does not hold.
    held = [fields for file in files if (fields := fields_of(file.local, run.goal)) is not None]
    wanted = (name for name in source.enricher.fields if name in run.goal.fields)
    lacking = [name for name in wanted if any(name not in fields for fields in held)]
    if not lacking:
        return ""
    named = " and ".join(lacking)
    tell(f"asking for {named}")
    return f"Asked for {named}: {counted(enrich_rows(run, source.enricher, files, lacking), 'user')}."


def _resume(run: ImportRun, source: Source) -> None:
    """Hand the watermarks to a source that can resume, if all it reads was imported under the same declaration."""
    if not isinstance(source, Resumable):
        return
    with run.warehouse.open("read") as session:
        known = known_files(session, run.connection, run.goal.name)
        watermarks = watermarks_of(session, run.connection, run.goal.name)
    before = {known[path].fingerprint if path in known else None for path in source.paths}
    if before == {run.unchanged_under}:
        source.resume(watermarks)


def enrich_rows(run: ImportRun, enricher: Enricher, files: list[FetchedFile], lacking: list[str]) -> int:
    """Fill the staged rows with fields that their files lack; return how many people the platform was asked for."""
    asked, answers = run.folder / "asked.csv", run.folder / "answers.csv"
    with run.open("read") as session:
        wanted = _look_up(session, run, enricher, files, lacking, asked)
    if wanted:
        with asked.open(encoding="utf-8", newline="") as ids, answers.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            with closing(enricher.look_up(platform_id for (platform_id,) in csv.reader(ids))) as found:
                for platform_id, values in found:
                    writer.writerow([platform_id, *(values.get(name) for name in enricher.fields)])
    with run.open("none") as session:
        if wanted:
            names = ", ".join(f"{quote_literal(name)}: 'VARCHAR'" for name in ("platform_id", *enricher.fields))
            sql = f"""insert into staging.user_key by name
from read_csv($path, auto_detect = false, header = false, columns = {{{names}}}, delim = ',', quote = '"')"""
            session.run([Step("staging.user_key", sql, {"path": str(answers)})])
        _fill_in(session, run, enricher)
    return wanted


def _look_up(
    session: Session, run: ImportRun, enricher: Enricher, files: list[FetchedFile], lacking: list[str], asked: Path
) -> int:
    """Take from the warehouse what it knows, and write the ids that the platform is to be asked about."""
    columns = staged_columns(session, run)
    compare_rows(session, run)
    select_fresh_rows(session, run, columns)
    filled = [link.column for link in columns.links if link.field in lacking]
    filled += [quote_identifier(value.column) for value in columns.values if set(value.fields) & set(lacking)]
    lacks = " or ".join(f"{column} is null" for column in filled)
    identity = f"value_{enricher.identity_property}"
    wanted = statement("importing/sources/wanted").format(platform_id=identity, lacks=lacks)
    fields = "".join(f", {quote_identifier(name)} text" for name in enricher.fields)
    keys = f"create or replace table staging.user_key (platform_id text{fields})"
    steps = [Step("wanted", wanted), Step("staging.user_key", keys)]
    (first, *further) = lacking
    if first in enricher.digests and not further:
        addresses = [prop.name for prop in run.profiles.identifiers if prop.type == "email"]
        known = statement("importing/sources/known_email").format(field=quote_identifier(first))
        steps.append(Step("person", _people(run.goal, enricher.identity, enricher.digests[first], files)))
        steps.append(Step("staging.user_key", known, {"properties": addresses}))
    session.run(steps)
    rest = "from wanted where platform_id not in (select platform_id from staging.user_key)"
    private_folder(run.folder)
    session.execute(f"copy (select platform_id {rest}) to {quote_literal(str(asked))} (format csv, header false)")
    return int(session.value(f"select count(*) {rest}"))


def _people(goal: ImportGoal, identity: str, digest: str, files: Iterable[FetchedFile]) -> str:
    """Return the statement that makes `person(platform_id, digest)` of the files, broken rows left out."""
    parts = []
    for file in files:
        fields = fields_of(file.local, goal) or ()
        if {identity, digest} <= set(fields):
            names = ", ".join(f"'c{number}'" for number in range(len(fields)))
            parts.append(
                f"select c{fields.index(identity)} as platform_id, lower(c{fields.index(digest)}) as digest\n"
                f"from read_csv({quote_literal(str(file.local))}, header = true, all_varchar = true, delim = ',', "
                f"quote = '\"', escape = '\"', ignore_errors = true, names = [{names}])"
            )
    empty = "select null::text as platform_id, null::text as digest where false"
    return "create or replace temp table person as\n" + "\nunion all\n".join(parts or [empty])


def _fill_in(session: Session, run: ImportRun, enricher: Enricher) -> None:
    """Write the staged rows anew, in their order: an update would move some of them to the end."""
    if not session.value("select count(*) from staging.user_key"):
        return
    columns = staged_columns(session, run)
    found, names = found_step(run.goal, columns, enricher.fields)
    merged = ", ".join(f"{_merged(columns, name)} as {quote_identifier(name)}" for name in names)
    filled = f"""create or replace table staging.staged as
select staged.* replace ({merged})
from staging.staged staged
left join found on found.platform_id = staged.value_{enricher.identity_property}
order by staged.rowid"""
    session.run([found, Step("staging.staged", filled)])


def _merged(columns: Columns, name: str) -> str:
    """Return the expression for a column of a row: the value of its file, or else the one that was looked up."""
    staged, found = f"staged.{quote_identifier(name)}", f"found.{quote_identifier(name)}"
    adds = {value.column for value in columns.values if value.mode == "add"}
    if name in adds or name == "invalid":
        joined = f"list_concat(coalesce({staged}, []), coalesce({found}, []))"
        return f"nullif({unique(joined) if name in adds else joined}, [])"
    return f"coalesce({staged}, {found})"
