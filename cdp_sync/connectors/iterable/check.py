"""Whether a project can be used: its key, its type, the goals' lists and fields. Nothing is changed."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cdp_sync.connectors.iterable import answers
from cdp_sync.connectors.iterable.answers import MailingList, list_named, target
from cdp_sync.connectors.iterable.catalogs import catalog_problems
from cdp_sync.connectors.iterable.fields import field_problems
from cdp_sync.connectors.iterable.goals import ADDRESSES, KEYS, LIST_NAME
from cdp_sync.connectors.iterable.project_type import contradiction
from cdp_sync.connectors.iterable.protocol import UserQuery
from cdp_sync.connectors.iterable.reading import reading_problems
from cdp_sync.errors import AuthenticationFailed, ListUnknown, RequestRefused, Terminal, Transient
from cdp_sync.model.counting import counted
from cdp_sync.model.profile import Profiles

if TYPE_CHECKING:
    from cdp_sync.connectors.iterable.client import IterableClient
    from cdp_sync.connectors.iterable.goals import IterableConnection, IterableProject, UserExportGoal, UserImportGoal

Finding = tuple[str, bool]
"""A sentence, and whether what it says is as it should be."""

_SOME, _LATELY = 20, timedelta(days=1)
"""Of how many users, changed in this period, the fields are compared with the project's type."""
_BESIDES = frozenset((*KEYS["hybrid"], LIST_NAME))
"""Fields that need not be among those that Iterable lists."""


def check(connection: "IterableConnection", profiles: Profiles) -> Iterator[Finding]:
    """Try what is needed of a project; yield in sentences what was found, and whether that is as it should be.

    Raises:
        Transient: Iterable cannot be reached, or fails.
    """
    from cdp_sync.connectors.iterable.client import IterableClient

    with IterableClient(connection.project) as client:
        try:
            lists = client.lists()
            fields = client.fields()
        except AuthenticationFailed as refused:
            yield f"key: {refused}{_elsewhere(connection.project)}", False
            return
        except Terminal as refused:
            yield f"key: {refused}", False
            return
        yield f"key: in order; the project has {counted(len(lists), 'list')} and {counted(len(fields), 'field')}.", True
        yield _project_type(client, fields)
        for catalog in connection.import_groups:
            problems = list(catalog_problems(client, catalog))
            yield from ((f"{catalog.name}: {problem}", False) for problem in problems)
            if not problems:
                yield f"{catalog.name}: the catalog {catalog.catalog} is there, with every mapped field.", True
        for goal in connection.import_profiles:
            yield from _import(goal, profiles, lists, fields)
        for audience in connection.export_profiles:
            yield from _export(audience, profiles, lists, fields)


def _target(goal: str, named: str | int, lists: tuple[MailingList, ...]) -> Finding:
    """Look at a list that users are to be put on."""
    try:
        found = target(lists, named)
    except ListUnknown as problem:
        return f"{goal}: list {named!r}: {problem}", False
    return f"{goal}: list {named!r} is {'there' if found else 'not there yet; the first run creates it'}.", True


def _elsewhere(project: "IterableProject") -> str:
    """Say whether the other data centre knows the key; nothing where an address is declared."""
    from cdp_sync.connectors.iterable.client import IterableClient

    if project.base_url:
        return ""
    other = next(name for name in ADDRESSES if name != project.data_center)
    try:
        with IterableClient(project.model_copy(update={"data_center": other}), attempts=1) as client:
            client.lists()
    except (Terminal, Transient):
        return ""
    return f" The data centre {other} knows it: declare data_center: {other}."


def _project_type(client: "IterableClient", fields: Mapping[str, str]) -> Finding:
    """Compare the project type with the fields, and with some users who changed lately."""
    now = datetime.now(UTC)
    try:
        users = answers.users(client.first_lines(UserQuery(now - _LATELY, now), _SOME))
    except RequestRefused as refused:
        return f"project_type: {refused}", False
    problem = contradiction(client.project, fields, users)
    return f"project_type: {problem or f'{client.project.project_type}, which nothing contradicts.'}", not problem


def _import(
    goal: "UserImportGoal", profiles: Profiles, lists: tuple[MailingList, ...], fields: Mapping[str, str]
) -> Iterator[Finding]:
    if goal.events_from:
        yield f"{goal.name}: reads {', '.join(goal.events_from)}; only a run shows which fields events have.", True
        return
    for named in goal.lists:
        try:
            list_named(lists, named)
            yield f"{goal.name}: list {named!r} is there.", True
        except ListUnknown as problem:
            yield f"{goal.name}: list {named!r}: {problem}", False
    unreadable = list(reading_problems(goal, profiles, fields, _BESIDES))
    for each in unreadable:
        yield f"{goal.name}: {each}.", False
    if not unreadable:
        yield f"{goal.name}: every linked and mapped field is there, and its type fits.", True


def _export(
    goal: "UserExportGoal", profiles: Profiles, lists: tuple[MailingList, ...], fields: Mapping[str, str]
) -> Iterator[Finding]:
    yield from (_target(goal.name, named, lists) for named in goal.lists)
    unwritable = list(field_problems(goal, goal.field_types(profiles), fields))
    for each in unwritable:
        yield f"{goal.name}: {each}", False
    if goal.data_fields and not unwritable:
        yield f"{goal.name}: every mapped field fits the project.", True
