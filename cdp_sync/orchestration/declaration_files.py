"""The declarations as files, and the connections in them: read without Dagster, whose import takes seconds."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

from cdp_sync.errors import DeclarationError, UnknownName
from cdp_sync.model import Connection, Lifecycle, Profiles
from cdp_sync.model.consistency import find_lifecycle_problems, find_profile_problems
from cdp_sync.model.kind import kind_of_type
from cdp_sync.model.reading import Document, Reading, read_text, with_line
from cdp_sync.model.suggestion import one_of
from cdp_sync.orchestration.project_folder import defs_folder

PROFILE_MODEL = "cdp_sync.components.ProfileModel"
MAINTENANCE = "cdp_sync.components.Maintenance"
LIFECYCLE = "cdp_sync.components.Lifecycle"
_USUAL = {PROFILE_MODEL: "profiles", MAINTENANCE: "maintenance"}
"""The folders where these are looked for first."""

_known_lifecycles: ContextVar[list[tuple[Path, Lifecycle]] | None] = ContextVar("known_lifecycles", default=None)


def declaration_files(folder: Path | None = None) -> list[Path]:
    """Return every defs.yaml of the project, or below one of its folders, at any depth.

    What lies below a folder of the project whose name begins with `_` or `.` is none of it.
    """
    root = defs_folder()
    found = sorted((folder or root).rglob("defs.yaml"))
    return [file for file in found if file.parent != root and file.relative_to(root).parts[0][0] not in "_."]


def refuse(file: Path, problems: Sequence[str]) -> None:
    """Raise one error for all problems of a file, if there are any.

    Raises:
        DeclarationError: Names the file, and every problem in it with its line.
    """
    if problems:
        text = file.read_text(encoding="utf-8", errors="replace")
        lines = "".join(f"\n  {with_line(problem, text)}" for problem in problems)
        raise DeclarationError(f"{file.parent.name}/{file.name}:{lines}")


def read_declaration(file: Path) -> Reading:
    """Return what a defs.yaml says, and what is wrong with that."""
    try:
        return read_text(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        return Reading((), (f"line {line}: this is not UTF-8; save the file in this encoding",), is_yaml=False)


def documents_in(file: Path) -> tuple[Document, ...]:
    """Return the documents of a defs.yaml without problems.

    Raises:
        DeclarationError: Names the file, and every problem in it with its line.
    """
    reading = read_declaration(file)
    refuse(file, reading.problems)
    return reading.documents


def declared_names() -> list[str]:
    """Return the names of all connections, with problems or without; an unreadable file counts by its folder."""
    names = []
    for file in declaration_files():
        reading = read_declaration(file)
        of_connections = (each.attributes.get("name") for each in reading.documents if kind_of_type(each.type))
        names += [str(name) for name in of_connections if name] if reading.is_yaml else [file.parent.name]
    return names


def refuse_unknown(name: str | None, further: Iterable[str] = ()) -> None:
    """Make sure that there is a connection of this name, if one was asked for.

    `further` are names that count too, such as those of connections that are no longer declared.

    Raises:
        UnknownName: Neither is there one, nor was there.
    """
    names = list(dict.fromkeys([*declared_names(), *further]))
    if name is not None and name not in names:
        raise UnknownName(f"There is no connection {name!r}.", needed=one_of(name, names))


def read_connections(name: str | None = None) -> tuple[Connection, ...]:
    """Return the connections as they are written, or the one of that name; templates in a server are not filled.

    Raises:
        DeclarationError: Names every problem of the first file that has any.
        UnknownName: There is no connection of that name.
    """
    values = (document.value for file in declaration_files() for document in documents_in(file))
    found = [value for value in values if isinstance(value, Connection)]
    refuse_unknown(name, [connection.name for connection in found])
    return tuple(connection for connection in found if name in (None, connection.name))


def declared_profiles() -> Profiles:
    """Return the profile that the project declares, with the lifecycles of the project.

    Raises:
        DeclarationError: No `defs.yaml` of the project is a `ProfileModel`, or it has problems.
    """
    file = find_profile_model()
    documents_in(file)
    profiles, problems = _profiles_in(file.read_text(encoding="utf-8"), declared_lifecycles())
    refuse(file, problems)
    return profiles


@lru_cache(maxsize=8)
def _profiles_in(text: str, lifecycles: tuple[Lifecycle, ...]) -> tuple[Profiles, list[str]]:
    """Return the profile of a text and what is wrong with it, once for all connections of a project."""
    written = next(each.value for each in read_text(text).documents if isinstance(each.value, Profiles))
    profiles = written.with_lifecycles(lifecycles)
    return profiles, [f"attributes.{problem}" for problem in find_profile_problems(profiles)]


def declared_lifecycles() -> tuple[Lifecycle, ...]:
    """Return the lifecycles of the project; of several with one name, the first. Those with problems are left out."""
    found: dict[str, Lifecycle] = {}
    for _, lifecycle in _lifecycle_files():
        found.setdefault(lifecycle.name, lifecycle)
    return tuple(each.counting(_counted_in(each)) for each in found.values())


def _counted_in(lifecycle: Lifecycle) -> Iterator[tuple[str, str]]:
    """Yield in which stages of a lifecycle goals of the project count events as touches, each with the events' type."""
    for file in declaration_files():
        if b"lifecycle" not in file.read_bytes():
            continue
        connections = (document.value for document in read_declaration(file).documents)
        goals = (goal for each in connections if isinstance(each, Connection) for goal in each.export_profiles)
        for part in (goal.lifecycle for goal in goals if goal.enabled and goal.lifecycle):
            if part.name == lifecycle.name and (counted_event := part.counted_event):
                yield from ((stage, counted_event) for stage in part.stages or lifecycle.every_stage)


def refuse_lifecycles(file: Path) -> None:
    """Refuse the lifecycles of a file that do not fit the profile, or whose names are taken.

    Raises:
        DeclarationError: Names every problem with its line; or the profile is not declared, or not in order.
    """
    profiles, problems = declared_profiles(), []
    first: dict[str, Path] = {}
    for each, lifecycle in _lifecycle_files():
        if each == file and lifecycle.name in first:
            other = first[lifecycle.name].parent.name
            problems.append(f"attributes.name: another lifecycle is called {lifecycle.name!r}, in {other}")
        elif each == file:
            problems += [f"attributes.{problem}" for problem in find_lifecycle_problems(lifecycle, profiles)]
        first.setdefault(lifecycle.name, each)
    refuse(file, problems)


def _lifecycle_files() -> Iterable[tuple[Path, Lifecycle]]:
    """Return all lifecycles that are written without problems, each with its file."""
    known = _known_lifecycles.get()
    return [*_find_lifecycles()] if known is None else known


def _find_lifecycles() -> Iterator[tuple[Path, Lifecycle]]:
    for file in declaration_files():
        if LIFECYCLE.encode() in file.read_bytes():  # to read a file as YAML takes longer than to look into it
            values = (document.value for document in read_declaration(file).documents)
            yield from ((file, value) for value in values if isinstance(value, Lifecycle))


@contextmanager
def lifecycles_known() -> Iterator[None]:
    """Look for lifecycles once for all components that are loaded inside: each of them asks for the profile."""
    token = _known_lifecycles.set([*_find_lifecycles()])
    try:
        yield
    finally:
        _known_lifecycles.reset(token)


def find_profile_model() -> Path:
    """Return the file that declares the profile: that of the folder `profiles`, or the first that names the type.

    Raises:
        DeclarationError: There is none.
    """
    usual = defs_folder() / _USUAL[PROFILE_MODEL] / "defs.yaml"
    if usual.exists() and _names(usual, PROFILE_MODEL):
        return usual
    if files := _declaring(PROFILE_MODEL):
        return files[0]
    raise DeclarationError(
        "No defs.yaml declares the profile.",
        needed=f"One must have `type: {PROFILE_MODEL}`.",
        remedy="Write one: dg scaffold defs cdp_sync.components.ProfileModel profiles",
    )


def find_second(kind: str) -> dict[Path, tuple[str]]:
    """Return the files that declare more than once what a project has one of, each with what is wrong with it.

    Of profile models the first is in order: it is the one that connections are checked against.
    """
    files, name = _declaring(kind), kind.rpartition(".")[2]
    others = {file: ", ".join(other.parent.name for other in files if other != file) for file in files}
    wrong = files[1:] if kind == PROFILE_MODEL or len(files) == 1 else files
    return {file: (f"type: a project has one {name}; found another in {others[file]}",) for file in wrong}


def _declaring(kind: str) -> list[Path]:
    """Return the files that name a type of component; that of the usual folder first."""
    found = [file for file in declaration_files() if _names(file, kind)]
    return sorted(found, key=lambda file: file.parent != defs_folder() / _USUAL[kind])


def _names(file: Path, kind: str) -> bool:
    """Whether a file declares a type of component. One that is not YAML does where it mentions it: to be refused."""
    reading = read_declaration(file)
    if not reading.is_yaml:
        return kind in file.read_text(encoding="utf-8", errors="replace")
    return any(document.type == kind for document in reading.documents)
