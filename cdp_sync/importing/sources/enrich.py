"""Finds out what a list does not hold of its people: addresses that it gives as digests, and further keys.

What the warehouse knows needs no question: an address whose MD5 is the list's digest is that person's. Only for rows
that are to be applied the platform is asked, one call a person.
"""

import csv
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

from cdp_sync.importing.converting.conversion import unique
from cdp_sync.importing.delta.replace import compare_rows
from cdp_sync.importing.run import GoalRun
from cdp_sync.importing.staging.columns import Columns, staged_columns
from cdp_sync.importing.staging.fresh import select_fresh_rows
from cdp_sync.importing.staging.plan import found_step
from cdp_sync.model import FetchedFile
from cdp_sync.model.list_goal import EMAIL_HASH, KEYS, PROFILE_ID, SID
from cdp_sync.private import private_folder
from cdp_sync.warehouse import Session, quote_identifier, quote_literal, statement

FURTHER = tuple(key for key in KEYS if key != SID)
"""The keys besides the one that every list holds."""


class Users(Protocol):
    """What completing needs of a platform."""

    def keys_of(self, sids: Iterable[str]) -> Generator[tuple[str, Mapping[str, str]], None, None]:
        """Yield the keys of the users of these ids, in any order; of those who are gone, none."""
        ...


def complete_rows(run: GoalRun, users: Users, files: Sequence[FetchedFile], lacking: Sequence[str]) -> int:
    """Fill the staged rows with keys that their lists do not hold; return how many people were asked for.

    Args:
        run: The run; its rows are staged.
        users: Whom to ask.
        files: What the rows were staged from.
        lacking: The keys.
    """
    asked, told = run.folder / "asked.csv", run.folder / "told.csv"
    with run.open("read") as session:
        wanted = _look_up(session, run, files, lacking, asked)
    if wanted:
        _ask(users, asked, told)
    with run.open("none") as session:
        if wanted:
            _note(session, told)
        _fill_in(session, run)
    return wanted


def _look_up(session: Session, run: GoalRun, files: Sequence[FetchedFile], lacking: Sequence[str], asked: Path) -> int:
    """Take from the warehouse what it knows, and write down whom to ask for the rest."""
    columns = staged_columns(session, run)
    compare_rows(session, run)
    select_fresh_rows(session, run, columns)
    lacks = " or ".join(f"{column} is null" for column in _filled_by(columns, lacking))
    session.execute(statement("importing/sources/wanted").format(sid=f"value_{PROFILE_ID}", lacks=lacks))
    session.execute("create or replace table staging.user_key (sid text, email text, extid text, sms text)")
    if list(lacking) == ["email"]:
        addresses = [prop.name for prop in run.profiles.identifiers if prop.type == "email"]
        session.execute(_people(files))
        session.execute(statement("importing/sources/known_email"), {"properties": addresses})
    rest = "from wanted where sid not in (select sid from staging.user_key)"
    private_folder(run.folder)
    session.execute(f"copy (select sid {rest}) to {quote_literal(str(asked))} (format csv, header false)")
    return int(session.value(f"select count(*) {rest}"))


def _filled_by(columns: Columns, keys: Sequence[str]) -> list[str]:
    """Return the staging columns that are made of these fields."""
    links = [link.column for link in columns.links if link.field in keys]
    return links + [quote_identifier(value.column) for value in columns.values if set(value.fields) & set(keys)]


def _people(files: Sequence[FetchedFile]) -> str:
    """Return the statement that makes `person(sid, digest)` of the lists as they arrived, broken rows left out."""
    paths = ", ".join(quote_literal(str(file.local)) for file in files)
    return f"""create or replace temp table person as
select "Profile Id" as sid, lower({quote_identifier(EMAIL_HASH)}) as digest
from read_csv([{paths}], header = true, all_varchar = true, delim = ',', quote = '"', escape = '"',
    ignore_errors = true, union_by_name = true)"""


def _ask(users: Users, asked: Path, told: Path) -> None:
    with asked.open(encoding="utf-8", newline="") as wanted, told.open("w", encoding="utf-8", newline="") as answers:
        writer = csv.writer(answers)
        with closing(users.keys_of(sid for (sid,) in csv.reader(wanted))) as found:
            for sid, keys in found:
                writer.writerow([sid, *(keys.get(key) for key in FURTHER)])


def _note(session: Session, told: Path) -> None:
    names = ", ".join(f"'{name}': 'VARCHAR'" for name in (SID, *FURTHER))
    session.execute(
        f"""insert into staging.user_key by name
        from read_csv($path, auto_detect = false, header = false, columns = {{{names}}}, delim = ',', quote = '"')""",
        {"path": str(told)},
    )


def _fill_in(session: Session, run: GoalRun) -> None:
    """Write the staged rows anew, in their order: an update would move some of them to the end."""
    if not session.value("select count(*) from staging.user_key"):
        return
    columns = staged_columns(session, run)
    step, names = found_step(run.goal, columns, FURTHER)
    session.run([step])
    merged = ", ".join(f"{_merged(columns, name)} as {quote_identifier(name)}" for name in names)
    session.execute(
        f"""create or replace table staging.completed as
        select staged.* replace ({merged})
        from staging.staged staged
        left join found on found.sid = staged.value_{PROFILE_ID}
        order by staged.rowid"""
    )
    # Renaming would take the views along.
    session.execute("drop view if exists staging.fresh; drop table staging.staged")
    session.execute("alter table staging.completed rename to staged")


def _merged(columns: Columns, name: str) -> str:
    """Return the expression for a column of a row: what its list told, and else what was found out."""
    staged, found = f"staged.{quote_identifier(name)}", f"found.{quote_identifier(name)}"
    adds = {value.column for value in columns.values if value.mode == "add"}
    if name in adds or name == "invalid":
        joined = f"list_concat(coalesce({staged}, []), coalesce({found}, []))"
        return f"nullif({unique(joined) if name in adds else joined}, [])"
    return f"coalesce({staged}, {found})"
