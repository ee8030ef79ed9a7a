"""The declared connections as plain values, for the command line: read without Dagster where that is possible."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from cdp_sync.errors import DeclarationError, UnknownName
from cdp_sync.model import Connection, Declared, EventExportGoal, ExportGoal, Profiles, ResponseExportGoal, RowRules
from cdp_sync.model.consistency import find_clashes, find_problems
from cdp_sync.model.kind import FILLED, kind_of_type
from cdp_sync.model.reading import Document, problems_of
from cdp_sync.model.suggestion import one_of
from cdp_sync.orchestration.declaration_files import (
    LIFECYCLE,
    MAINTENANCE,
    PROFILE_MODEL,
    declaration_files,
    declared_profiles,
    documents_in,
    find_second,
    lifecycles_known,
    refuse,
    refuse_lifecycles,
)
from cdp_sync.orchestration.project_folder import defs_folder
from cdp_sync.orchestration.templates import fill, is_template, names_only_environment

T = TypeVar("T")
Named = TypeVar("Named", Connection, RowRules, ExportGoal | EventExportGoal | ResponseExportGoal)


@dataclass(frozen=True)
class Declarations:
    """What the project declares."""

    profiles: Profiles
    connections: tuple[Connection, ...]

    def connection(self, name: str) -> Connection:
        """Return a connection.

        Raises:
            UnknownName: There is none of that name.
        """
        return _named(self.connections, name, "There is no connection")

    def goals(self, connection: str, name: str | None) -> tuple[RowRules, ...]:
        """Return a connection's enabled import goals, or the one of that name.

        Raises:
            UnknownName: There is no such connection or goal.
        """
        every = self.connection(connection).imports
        if name is None:
            return tuple(goal for goal in every if goal.enabled)
        return (_named(every, name, f"Connection {connection} has no import goal"),)

    def export_goal(self, connection: str, name: str) -> ExportGoal | EventExportGoal | ResponseExportGoal:
        """Return an export goal of a connection.

        Raises:
            UnknownName: There is no such connection or goal.
        """
        every = self.connection(connection).exports
        return _named(every, name, f"Connection {connection} has no export goal")


def _named(every: Sequence[Named], name: str, otherwise: str) -> Named:
    names = [each.name for each in every]
    if name not in names:
        raise UnknownName(f"{otherwise} {name!r}.", needed=one_of(name, names))
    return every[names.index(name)]


@dataclass(frozen=True)
class Reading:
    """What the files of a project say, and what is wrong with them."""

    profiles: Profiles | None
    """None where the profile is not declared, or not in order."""
    connections: tuple[Connection, ...]
    """Those that are in order."""
    problems: tuple[str, ...]
    """Each names the file, the place in it, what was found and what is allowed."""

    @property
    def declarations(self) -> Declarations:
        """What is declared.

        Raises:
            DeclarationError: Names every problem of every file.
        """
        if self.problems or self.profiles is None:
            raise DeclarationError("\n".join(self.problems))
        return Declarations(self.profiles, self.connections)


def load_declarations() -> Declarations:
    """Read every declaration and check it.

    Raises:
        DeclarationError: Names every problem of every file.
    """
    return read_project().declarations


@lifecycles_known()
def read_project() -> Reading:
    """Read every declaration of the project, and note all that is wrong with them.

    A file of our own types that names nothing but environment variables in its templates is read here; any other is
    loaded by Dagster, whose import takes a second.
    """
    problems: list[str] = []
    profiles = _attempt(problems, declared_profiles)
    found: list[tuple[Path, Connection]] = []
    for_dagster = []
    for file in declaration_files():
        documents = _attempt(problems, _documents, file) or ()
        if profiles and any(document.type == LIFECYCLE for document in documents):
            _attempt(problems, refuse_lifecycles, file)
        if all(map(_is_plain, documents)):
            found += [(file, each) for each in _attempt(problems, _connections_in, file, documents, profiles) or ()]
        else:
            for_dagster.append(file)
    for file in for_dagster if profiles else ():  # without a profile none of them could be checked
        loaded = _attempt(problems, _loaded_by_dagster, file) or []
        found += [(file, each) for each in loaded if each not in [known for _, known in found]]
    for file, clashes in _clashes(found).items():
        _attempt(problems, refuse, file, clashes)
    return Reading(profiles, tuple(connection for _, connection in found), tuple(dict.fromkeys(problems)))


def plain_values(file: Path) -> list[Declared] | None:
    """Return what a defs.yaml declares, with its templates filled; None where only Dagster can read it.

    Raises:
        DeclarationError: Names the file and every problem in it.
    """
    documents = _documents(file)
    if not all(map(_is_plain, documents)):
        return None
    others = (each.value for each in documents if each.value and not isinstance(each.value, Connection))
    return [*others, *_connections_in(file, documents, None)]


def clashes_between_files() -> dict[Path, list[str]]:
    """Return what is wrong with files that are in order each by itself, such as a name that is taken."""
    found: list[tuple[Path, Connection]] = []
    for file in declaration_files():
        with suppress(DeclarationError):
            found += [(file, each) for each in plain_values(file) or () if isinstance(each, Connection)]
    return _clashes(found)


def _attempt(problems: list[str], work: Callable[..., T], *arguments: object) -> T | None:
    try:
        return work(*arguments)
    except DeclarationError as error:
        problems.append(str(error))
        return None


def _documents(file: Path) -> tuple[Document, ...]:
    documents = documents_in(file)
    refuse(file, [] if documents else ["the file declares nothing; needed is a `type`"])
    return documents


def _is_plain(document: Document) -> bool:
    """Whether a document can be read without Dagster."""
    filled = (names_only_environment(value) for _, _, value in _templates(document))
    return bool(document.value) and not document.others and all(filled)


def _templates(document: Document) -> Iterator[tuple[str, str | None, object]]:
    """Yield each value that may be a template: its attribute, its key in there if it is a part of that, and itself."""
    kind = kind_of_type(document.type)
    for name in kind.templated if kind else ():
        value = document.attributes.get(name)
        if isinstance(value, dict):
            yield from ((name, key, each) for key, each in value.items())
        else:
            yield name, None, value


def _connections_in(file: Path, documents: Iterable[Document], profiles: Profiles | None) -> list[Connection]:
    """Return the connections that plain documents declare, with their templates filled.

    Raises:
        DeclarationError: A template cannot be filled, or a connection does not fit the profile.
    """
    found: list[Connection] = []
    problems: list[str] = []
    for document in documents:
        if isinstance(document.value, Connection):
            connection, unfilled = _filled(document, document.value)
            problems += unfilled
            found += [connection] if connection else []
    if profiles:
        problems += [f"attributes.{problem}" for each in found for problem in find_problems(each, profiles)]
    refuse(file, problems)
    return found


def _filled(document: Document, written: Connection) -> tuple[Connection | None, list[str]]:
    """Return a document's connection with its templates filled, and what is wrong with them."""
    attributes, problems = dict(document.attributes), []
    templates = [each for each in _templates(document) if is_template(each[2])]
    for name, key, value in templates:
        try:
            attributes[name] = {**attributes[name], key: fill(value)} if key else fill(value)
        except ValueError as error:
            problems.append(f"attributes.{name}{f'.{key}' if key else ''}: {error}")
    if problems or not templates:
        return None if problems else written, problems
    model = type(written)
    try:
        return model.model_validate(attributes, context=FILLED), []
    except ValidationError as error:
        return None, [f"attributes{problem}" for problem in problems_of(error, model)]


def _loaded_by_dagster(file: Path) -> list[Connection]:
    """Return the connections that Dagster finds in a file's folder.

    Raises:
        DeclarationError: It cannot load them.
    """
    import dagster as dg

    from cdp_sync.orchestration.project import component_tree, reason_of

    tree, every = component_tree(file.parent), dg.Component
    try:
        tree.build_defs()
        components = tree.get_all_components(of_type=every)  # type: ignore[type-abstract]  # it asks `isinstance`
    except Exception as error:
        reason = reason_of(error)
        raise DeclarationError(
            reason if file.name in reason else f"{file.parent.name}/{file.name}:\n  {reason}"
        ) from error
    found = (getattr(component, "connection", None) for component in components)
    return [each for each in found if isinstance(each, Connection)]


def _clashes(found: Sequence[tuple[Path, Connection]]) -> dict[Path, list[str]]:
    clashes: dict[Path, list[str]] = {}
    # A run looks first in the folder that is called like the connection.
    ordered = sorted(found, key=lambda each: each[0].parent != defs_folder() / each[1].name)
    for number, clash in find_clashes([connection for _, connection in ordered]):
        clashes.setdefault(ordered[number][0], []).append(f"attributes.{clash}")
    for kind in (PROFILE_MODEL, MAINTENANCE):
        for file, second in find_second(kind).items():
            clashes.setdefault(file, []).extend(second)
    return clashes
