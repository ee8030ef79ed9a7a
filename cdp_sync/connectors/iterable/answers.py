"""What an answer of Iterable's means: what was asked for, or one of our errors. No I/O.

The status decides: some refusals carry the code `Success`. An error is reported in our words, by status and code: the
text that comes with it may quote an address. Unknown fields of answers are ignored.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from cdp_sync.connectors.iterable.protocol import Call
from cdp_sync.errors import (
    AuthenticationFailed,
    CdpSyncError,
    EndpointNotPermitted,
    FieldsRefused,
    JobLost,
    ListUnknown,
    RateExceeded,
    RemoteFailure,
    RequestRefused,
    ServerRefused,
    UserForgotten,
    UserUnknown,
)
from cdp_sync.model.declared import PropertyType

Json = Mapping[str, Any]

_WORDS = {
    "BatchTooLarge": "it holds too much",
    "EmailAlreadyExists": "another user has the address",
    "ExternalKeyConflict": "address and userId belong to different users",
    "ForgottenUserError": "the user asked to be forgotten",
    "InvalidEmailAddressError": "an e-mail address is invalid",
    "InvalidUserIdError": "a userId is invalid",
    "UserIdAlreadyExists": "another user has the userId",
}
_OF_ONE_USER = ("users/getByEmail", "users/byUserId")
_NO_USER = "noUserWithIdExists"
"""In the text of a refusal that may stand for an unknown user, in place of the empty object."""
_SAFE_CODE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")


@dataclass(frozen=True)
class MailingList:
    """A list of a project."""

    id: int
    name: str
    type: str
    """`Standard`, which is static, `Dynamic`, `Suppression` or `Internal`."""
    created_at: datetime | None = None

    @property
    def is_static(self) -> bool:
        """Whether users can be put on it."""
        return self.type.lower() == "standard"

    @property
    def kind(self) -> str:
        """What it is, in a word."""
        return "static" if self.is_static else self.type.lower()


@dataclass(frozen=True)
class ExportedFile:
    """A file of an export."""

    name: str
    url: str = field(repr=False)
    """Where it is, for about 30 minutes. It can be fetched without credentials."""


@dataclass(frozen=True)
class ExportState:
    """How an export is, and those of its files that were asked for."""

    state: str
    """In lower case: `enqueued`, `running`, `completed`, `failed`, `cancelling`, `cancelled`."""
    truncated: bool
    """Whether it holds less than was asked for: it reached Iterable's limit of 100 GB."""
    files: tuple[ExportedFile, ...]


def decipher(call: Call, status: int, content: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return what was asked for, as JSON.

    Raises:
        AuthenticationFailed: The key is wrong, or of another data centre.
        EndpointNotPermitted: The key is of a kind that must not make this call.
        ServerRefused: That is no address of the API.
        ListUnknown: There is no list of that id.
        JobLost: There is no job of that id.
        RequestRefused: This call is refused; others may be taken.
        FieldsRefused: The project cannot have more fields.
        RateExceeded: No more calls are taken for now.
        RemoteFailure: Iterable failed, or answered something that is no answer.
    """
    try:
        found = json.loads(content)
    except ValueError:  # of encodings as well
        found = None
    if status != HTTPStatus.OK:
        said = found if isinstance(found, dict) else {}
        if call.endpoint in _OF_ONE_USER and _NO_USER in str(said.get("msg", "")):
            return {}
        raise _error(call, status, said)
    if found is None:
        raise RemoteFailure(f"{_said(call, status)}, without JSON.")
    return found


def decipher_number(call: Call, status: int, content: bytes) -> int:
    """Return a number that comes as text; errors as of `decipher`."""
    text = content.decode(errors="replace").strip()
    if status == HTTPStatus.OK and text.isdecimal():
        return int(text)
    decipher(call, status, content)
    raise RemoteFailure(f"{_said(call, status)}, without a number.")


def decipher_lines(call: Call, status: int, content: bytes) -> tuple[str, ...]:
    """Return the lines of a text, blanks around them and blank ones left out; errors as of `decipher`."""
    if status != HTTPStatus.OK:
        decipher(call, status, content)
    return tuple(line.strip() for line in content.decode(errors="replace").split("\n") if line.strip())


def _error(call: Call, status: int, found: Json) -> CdpSyncError:
    text = str(found.get("msg", ""))
    if error := _of_any_call(call, status):
        return error
    if "invalidListId" in text:
        return ListUnknown("Iterable has no list of that id.", remedy="A list that was just made may take a minute.")
    if status == HTTPStatus.NOT_FOUND and not found:
        return ServerRefused(
            f"{_said(call, status)}, not in Iterable's way.", remedy="Check that base_url is the address of its API."
        )
    if status == HTTPStatus.NOT_FOUND and call.endpoint.startswith("catalogs"):
        name = call.path.split("/")[1]
        return RequestRefused(f"There is no catalog {name!r}.", remedy="Correct its name, or make the catalog.")
    if call.endpoint in ("export", "export/files"):
        return JobLost("Iterable does not know the export, or no longer.", remedy="The next run starts another.")
    return _refused(call, status, found)


def _of_any_call(call: Call, status: int) -> CdpSyncError | None:
    """Return the error of a status that says the same of every call."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateExceeded(
            f"Iterable takes no more calls of the kind {call.method} {call.endpoint} for now.",
            remedy="Others that use the same project may use up its rate.",
        )
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return RemoteFailure(f"Iterable failed: {_said(call, status)}.")
    if status == HTTPStatus.UNAUTHORIZED:
        return AuthenticationFailed(
            "Iterable does not know the API key (status 401).",
            needed="Each data centre, us and eu, knows its own keys.",
            remedy="Check what api_key_env names, and that data_center is the project's.",
        )
    if status == HTTPStatus.FORBIDDEN:
        return EndpointNotPermitted(
            f"The API key must not make the call {call.method} {call.endpoint} (status 403).",
            needed="Needed is a server-side key; keys of mobile apps and of JavaScript read no lists.",
            remedy="Create a server-side key in Iterable, under Integrations, API keys.",
        )
    return None


def _refused(call: Call, status: int, found: Json) -> RequestRefused | FieldsRefused:
    code = str(found.get("code", ""))
    if code == "UniqueFieldsLimitExceeded":
        return FieldsRefused(
            "The Iterable project has as many fields as it may have, about 1,000.",
            remedy="Map fewer new fields, or remove fields in Iterable.",
        )
    if code == "RequestFieldsTypesMismatched":
        wrong = mismatched(found)
        named = ", ".join(f"{name} is {kind}" for name, kind in wrong.items()) or "a field has another type"
        return RequestRefused(f"Iterable refuses values of another type than their field's: {named}.")
    words = _WORDS.get(code) or (f"code {code}" if code and set(code) <= _SAFE_CODE else "no code")
    return RequestRefused(f"Iterable refuses the call: {_said(call, status)}, {words}.")


def mismatched(found: Json) -> dict[str, str]:
    """Return the fields that a refusal names because of their type, each with the type that it has there."""
    params = found.get("params")
    errors = params.get("validationErrors") if isinstance(params, dict) else None
    if not isinstance(errors, dict):
        return {}
    return {name: str(each.get("expectedType")) for name, each in errors.items() if isinstance(each, dict)}


def _said(call: Call, status: int) -> str:
    return f"{call.method} {call.endpoint} was answered with status {status}"


def mailing_lists(answer: Json) -> tuple[MailingList, ...]:
    """Return all lists of an answer."""
    return tuple(
        MailingList(
            id=int(each["id"]),
            name=str(each.get("name") or each["id"]),
            type=str(each.get("listType") or "Standard"),
            created_at=_moment(each.get("createdAt")),
        )
        for each in answer.get("lists") or ()
        if isinstance(each, dict) and isinstance(each.get("id"), int)
    )


def list_named(lists: Iterable[MailingList], named: str | int) -> MailingList:
    """Return a list by its name or its id.

    Raises:
        ListUnknown: There is none, or more than one of that name.
    """
    lists = tuple(lists)
    found = [each for each in lists if each.name == named]
    if not found and str(named).isdecimal():
        found = [each for each in lists if each.id == int(named)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(str(each.id) for each in found)
        raise ListUnknown("More than one list has that name.", needed=f"Their ids are {ids}.", remedy="Declare one.")
    raise ListUnknown("There is no list of that name or id.", remedy="Correct it, or make the list.")


def target(lists: Iterable[MailingList], named: str | int) -> MailingList | None:
    """Return the list that users are to be put on; None where there is none of that name, which can be created.

    Raises:
        ListUnknown: There is none of that id, more than one of that name, or Iterable decides who is on it.
    """
    lists = tuple(lists)
    if not str(named).isdecimal() and all(each.name != named for each in lists):
        return None
    found = list_named(lists, named)
    if not found.is_static:
        raise ListUnknown(
            f"The list {found.name!r} is {found.kind}: Iterable decides who is on it.",
            needed="Users can be put on static lists only.",
            remedy="Name a static list; one that does not exist is created.",
        )
    return found


def _moment(value: object) -> datetime | None:
    """Return a moment that is given in milliseconds, or in seconds where it has no more than ten digits."""
    if not isinstance(value, int) or value <= 0:
        return None
    return datetime.fromtimestamp(value / 1000 if value >= 10**10 else value, UTC)


def list_id(answer: Json) -> int:
    """Return the id of a list that was made."""
    return _number(answer, "listId")


def job_id(answer: Json) -> int:
    """Return the id of an export that was started."""
    return _number(answer, "jobId")


def _number(answer: Json, name: str) -> int:
    value = answer.get(name)
    if not isinstance(value, int):
        raise RemoteFailure(f"Iterable's answer has no {name}.")
    return value


def export_state(answer: Json) -> ExportState:
    """Return how an export is."""
    files = (each for each in answer.get("files") or () if isinstance(each, dict))
    return ExportState(
        state=str(answer.get("jobState") or "enqueued").lower(),  # the documentation has capitals
        truncated=bool(answer.get("exportTruncated")),
        files=tuple(ExportedFile(str(each.get("file")), str(each.get("url") or "")) for each in files),
    )


def field_types(answer: Json) -> dict[str, str]:
    """Return the fields of users and their types; those of nested objects have dotted names."""
    found = answer.get("fields")
    return {name: str(kind) for name, kind in found.items()} if isinstance(found, dict) else {}


PROPERTY_TYPES: Mapping[str, PropertyType] = {
    "string": "text",
    "long": "number",
    "double": "decimal",
    "boolean": "boolean",
    "date": "datetime",
}
"""The property types of Iterable's types of single values; objects and all others have none."""


def property_types(types: Mapping[str, str]) -> dict[str, PropertyType]:
    """Return the property types of fields, given their types at Iterable."""
    return {name: PROPERTY_TYPES[kind.lower()] for name, kind in types.items() if kind.lower() in PROPERTY_TYPES}


def catalog_items(answer: Json) -> tuple[list[dict[str, Any]], int]:
    """Return the items of a page, each its values and `itemId`, and how many there are in all."""
    found = _params(answer)
    items = [each for each in found.get("catalogItemsWithProperties") or () if isinstance(each, dict)]
    total = found.get("totalItemsCount")
    values = ((each["itemId"], each.get("value")) for each in items if each.get("itemId") is not None)
    named = [{**(value if isinstance(value, dict) else {}), "itemId": item_id} for item_id, value in values]
    return named, total if isinstance(total, int) else len(named)


def catalog_fields(answer: Json) -> frozenset[str]:
    """Return the names of the fields of a catalog's items, nested ones with dots."""
    found = _params(answer)
    return frozenset([*(found.get("definedMappings") or ()), *(found.get("undefinedFields") or ())])


def _params(answer: Json) -> Json:
    """Return what an answer holds, which some answers have under `params`."""
    found = answer.get("params")
    return found if isinstance(found, dict) else answer


def users(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    """Return the users of an export's lines; a line that is no JSON object, such as a cut one, is left out."""
    found = []
    for line in lines:
        try:
            each = json.loads(line)
        except ValueError:
            continue
        if isinstance(each, dict):
            found.append(each)
    return found


def user(answer: Json) -> dict[str, Any] | None:
    """Return the fields of a user, nested as they come; None for an answer without one, which is an empty object."""
    found = answer.get("user")
    if not isinstance(found, dict):
        return None
    fields = found.get("dataFields")
    keys = {name: found[name] for name in ("email", "userId") if found.get(name) is not None}
    return {**(fields if isinstance(fields, dict) else {}), **keys}


@dataclass(frozen=True)
class Failures:
    """The users of a call for many who were not written."""

    count: int
    """How many; more than are named where the answer does not name all."""
    reasons: Mapping[tuple[str, str], RequestRefused]
    """Why, by key and identifier; addresses in lower case."""
    dropped_fields: tuple[str, ...]
    """Fields that were not written for anybody."""


def failures(answer: Json) -> Failures:
    """Return who of many users was not written. Answers of before 2022 name invalid identifiers only, elsewhere."""
    named = answer.get("failedUpdates")
    lists = {**(named if isinstance(named, dict) else {})}
    for name in ("invalidEmails", "invalidUserIds"):
        lists[name] = [*(lists.get(name) or ()), *(answer.get(name) or ())]
    reasons: dict[tuple[str, str], RequestRefused] = {}
    for name, identifiers in lists.items():
        key = "email" if name.endswith("Emails") else "userId"
        problem = _failure(name.removesuffix("Emails").removesuffix("UserIds"), key)
        reasons |= {user_key(key, str(each)): problem for each in identifiers or ()}
    count = answer.get("failCount")
    dropped = tuple(str(name) for name in answer.get("filteredOutFields") or ())
    return Failures(count if isinstance(count, int) else len(reasons), reasons, dropped)


def user_key(key: str, identifier: str) -> tuple[str, str]:
    """Return what tells users apart: addresses count without case."""
    return key, identifier.lower() if key == "email" else identifier


def _failure(kind: str, key: str) -> RequestRefused:
    what = "address" if key == "email" else "userId"
    if kind == "forgotten":
        return UserForgotten("The user asked Iterable to be forgotten.")
    if kind == "notFound":
        return UserUnknown(f"Iterable has no user of that {what}.")
    reasons = {
        "invalid": f"Iterable refuses the user: the {what} is invalid.",
        "invalidData": "Iterable refuses the user: a value has another type than its field.",
        "conflict": "Iterable refuses the user: address and userId belong to different users.",
    }
    return RequestRefused(reasons.get(kind) or "Iterable refuses the user for a reason that is new to this version.")
