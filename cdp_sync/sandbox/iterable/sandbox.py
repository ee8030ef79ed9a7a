"""Iterable as an application: its endpoints, and how it reads, admits and refuses calls."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from cdp_sync.sandbox import api
from cdp_sync.sandbox.iterable import catalogs, events, exports, lists, users
from cdp_sync.sandbox.iterable.catalogs import Catalog
from cdp_sync.sandbox.iterable.events import Events
from cdp_sync.sandbox.iterable.project import Project, ProjectType, User

DOCUMENTED_LIMITS: api.Limits = {
    **dict.fromkeys(
        [("lists", "GET"), ("channels", "GET"), ("users", "GET"), ("users/byUserId", "GET"), ("events", "GET"),
         ("users", "DELETE"), ("users/byUserId", "DELETE"), ("catalogs/items", "GET"), ("catalogs/item", "GET")],
        api.Limit(100, 1, leaky=True),
    ),
    **dict.fromkeys(
        [("lists/getUsers", "GET"), ("lists/previewUsers", "GET"), ("lists/size", "GET")], api.Limit(5, leaky=True)
    ),
    ("users/update", "POST"): api.Limit(500, 1, leaky=True),
    ("users/bulkUpdate", "POST"): api.Limit(5, 1, leaky=True),
    **dict.fromkeys(
        [("users/getFields", "GET"), ("users/forgotten", "GET"), ("users/forget", "POST"), ("users/unforget", "POST")],
        api.Limit(3, 1, leaky=True),
    ),
    ("events/track", "POST"): api.Limit(2000, 1, leaky=True),
    ("events/trackBulk", "POST"): api.Limit(10, 1, leaky=True),
    **dict.fromkeys([("export/data.json", "GET"), ("export/data.csv", "GET")], api.Limit(4, leaky=True)),
    **dict.fromkeys(
        [("export/start", "POST"), ("export/files", "GET"), ("export/cancel", "DELETE")], api.Limit(1, 1, leaky=True)
    ),
}  # fmt: skip
"""The limits of the vendor's documentation; endpoints without a number have none."""

_CODES = {
    400: "BadParams", 401: "BadApiKey", 403: "Forbidden", 404: "NotFound", 409: "GenericError",
    413: "BatchTooLarge", 429: "RateLimitExceeded",
}  # fmt: skip
"""Codes of errors that have none yet, by status; `GenericError` for all others."""
_NO_ROUTE = (
    "<!DOCTYPE html><html><head><title>Action not found</title></head><body><h1>Action not found</h1></body></html>"
)


class IterableSandbox(api.ApiSandbox):
    """Iterable's API in a thread of this process. A context manager: it serves inside the block.

    The options are those of every sandbox: limits, port, clock. Measurements start it as a process of its own, by
    `python -m cdp_sync.sandbox.iterable`: in one process, server and client share an interpreter lock.

    Args:
        api_key: The server-side key.
        project_type: Who a user is.
        mobile_key: A key of an app, which may not call what is here.
    """

    vendor = "Iterable"
    routes = (
        *api.methods("/api/channels", "channels", GET=lists.read_channels),
        *api.methods("/api/lists", "lists", GET=lists.read_lists, POST=lists.create_list),
        *api.methods("/api/lists/getUsers", "lists/getUsers", GET=lists.read_members),
        *api.methods("/api/lists/previewUsers", "lists/previewUsers", GET=lists.preview_members),
        *api.methods("/api/lists/subscribe", "lists/subscribe", POST=lists.subscribe),
        *api.methods("/api/lists/unsubscribe", "lists/unsubscribe", POST=lists.unsubscribe),
        *api.methods("/api/lists/{list_id:int}", "lists", DELETE=lists.delete_list),
        *api.methods("/api/lists/{list_id:int}/size", "lists/size", GET=lists.read_size),
        *api.methods("/api/users/update", "users/update", POST=users.update_user),
        *api.methods("/api/users/bulkUpdate", "users/bulkUpdate", POST=users.update_users),
        *api.methods("/api/users/updateEmail", "users/updateEmail", POST=users.update_email),
        *api.methods("/api/users/updateSubscriptions", "users/updateSubscriptions", POST=users.update_subscriptions),
        *api.methods(
            "/api/users/bulkUpdateSubscriptions", "users/bulkUpdateSubscriptions", POST=users.update_many_subscriptions
        ),
        *api.methods("/api/users/forget", "users/forget", POST=users.forget_user),
        *api.methods("/api/users/unforget", "users/unforget", POST=users.unforget_user),
        *api.methods("/api/users/forgotten", "users/forgotten", GET=users.read_forgotten),
        *api.methods("/api/users/forgottenUserIds", "users/forgotten", GET=users.read_forgotten_ids),
        *api.methods("/api/users/getFields", "users/getFields", GET=users.read_fields),
        *api.methods("/api/users/getByEmail", "users", GET=users.read_user),
        *api.methods("/api/users/byUserId", "users/byUserId", GET=users.read_user),
        *api.methods("/api/users/byUserId/{userId}", "users/byUserId", GET=users.read_user, DELETE=users.delete_user),
        *api.methods("/api/users/{email}", "users", GET=users.read_user, DELETE=users.delete_user),
        *api.methods("/api/events/track", "events/track", POST=events.track),
        *api.methods("/api/events/trackBulk", "events/trackBulk", POST=events.track_many),
        *api.methods("/api/events/byUserId/{userId}", "events", GET=events.read_events),
        *api.methods("/api/events/{email}", "events", GET=events.read_events),
        *api.methods("/api/commerce/trackPurchase", "commerce/trackPurchase", POST=events.track_purchase),
        *api.methods("/api/commerce/updateCart", "commerce/updateCart", POST=events.update_cart),
        *api.methods("/api/catalogs", "catalogs", GET=catalogs.read_catalogs),
        *api.methods(
            "/api/catalogs/{catalog}", "catalogs/catalog", POST=catalogs.create_catalog, DELETE=catalogs.delete_catalog
        ),
        *api.methods("/api/catalogs/{catalog}/fieldMappings", "catalogs/fields", GET=catalogs.read_field_mappings),
        *api.methods(
            "/api/catalogs/{catalog}/items", "catalogs/items", GET=catalogs.read_items, POST=catalogs.write_items
        ),
        *api.methods(
            "/api/catalogs/{catalog}/items/{item}",
            "catalogs/item",
            GET=catalogs.read_item,
            PUT=catalogs.write_item,
            PATCH=catalogs.write_item,
            DELETE=catalogs.delete_item,
        ),
        *api.methods("/api/export/data.json", "export/data.json", GET=exports.stream_json),
        *api.methods("/api/export/data.csv", "export/data.csv", GET=exports.stream_csv),
        *api.methods("/api/export/userEvents", "export/userEvents", GET=exports.stream_user_events),
        *api.methods("/api/export/start", "export/start", POST=exports.start_export),
        *api.methods("/api/export/jobs", "export/jobs", GET=exports.read_jobs),
        *api.methods("/api/export/{job_id:int}", "export/cancel", DELETE=exports.cancel_export),
        *api.methods("/api/export/{job_id:int}/files", "export/files", GET=exports.read_files),
    )

    def __init__(
        self, *, api_key: str, project_type: ProjectType = "email", mobile_key: str | None = None, **options: Any  # noqa: ANN401
    ) -> None:  # fmt: skip
        super().__init__(jobs_at_once=4, **options)
        self.api_key = api_key
        self.mobile_key = mobile_key
        self.project = Project(project_type, self.clock)
        self.events = Events(self.clock)
        self.catalogs: dict[str, Catalog] = {}
        self.export_lifetime = 1800.0
        self.downloads.status_of_expired = 403
        self.creates_fields = True
        """Whether unknown fields are created where a call does not say it."""
        self.refuses_whole_batches = False
        """Whether a value of the wrong type refuses all users of a call, in the place of its user alone."""
        self.most_users: int | None = None
        """How many users or events a call may have; only the size is bounded unless set."""
        self.most_bytes = 4_000_000
        """How large the body of a call may be."""
        self.status_of_large_batches = 413
        """What a call with too many of them, or too large a body, is answered with."""
        self.plain_refusals = False
        """Whether calls beyond a limit are answered in plain text."""
        self.lists_in_use: Collection[int] = ()
        """Lists that cannot be deleted."""
        self.lists_usable_after = 0.0
        """After how many seconds a new list can be written to."""
        self.lines_per_file = 10_000
        self.files_per_page = 100
        self.flat_exports = True
        """Whether objects are exported under dotted names, arrays of objects as arrays; otherwise they are nested."""
        self.data_fields_apart = False
        """Whether exports have the own fields of events in `dataFields`, not beside the standard ones."""
        self.truncate_after: int | None = None
        """How many lines an export job has at most; all unless set."""
        self.cancel_seconds = 0.0
        """How long a cancelled job is `cancelling`."""
        self.first_links_expired = False
        """Whether the first link of each file has expired when it is returned."""
        self.bad_lines: Mapping[int, bytes | None] = {}
        """What stands in the place of lines of JSON, by their number in a stream or file; None cuts one in half."""
        self._linked: set[tuple[str, str]] = set()

    async def read(self, request: Request) -> Any:  # noqa: ANN401 - any JSON
        """Return the JSON of a call with a body."""
        body = await request.body()
        if len(body) > self.most_bytes:
            raise api.Refused(self.status_of_large_batches, "The request is too large", "BatchTooLarge")
        if not body and request.url.path.startswith("/api/catalogs/"):
            return {}  # a catalog is created without one
        try:
            found = await super().read(request)
        except api.Refused:
            found = None
        if request.method in {"POST", "PUT", "PATCH"} and not isinstance(found, dict):
            raise api.Refused(400, f"[{request.url.path}] Invalid JSON body", "BadJsonBody")
        return found

    def admit(self, call: api.Call) -> None:
        """Check the key."""
        key = call.header("Api-Key", "api_key")
        if key is not None and key == self.mobile_key:
            raise api.Refused(403, "This endpoint needs a server-side API key", "Forbidden")
        if key != self.api_key:
            raise api.Refused(401, "Invalid API key", ip="127.0.0.1", endpoint=call.request.url.path)

    def refuse(self, call: api.Call, refused: api.Refused) -> Response:
        """Answer as JSON; an unknown path is a page."""
        if refused.code is None and refused.status in {404, 405}:
            return HTMLResponse(_NO_ROUTE, 404)
        message, path = refused.message, call.request.url.path
        if refused.status == 429:
            if self.plain_refusals:
                return PlainTextResponse("Too Many Requests", 429)
            message = f"Exceeded rate limit for endpoint: {path}, project: {self.project.project_id} "
        if refused.status >= 500:
            message = "An error occurred. Please try again later"
        code = refused.code or _CODES.get(refused.status, "GenericError")
        params = {} if refused.status == 429 else refused.details or None
        return api.JsonAnswer({"msg": message, "code": code, "params": params}, refused.status)

    def check_size(self, entries: Sequence[object]) -> None:
        """Raise Refused where a call has too many entries."""
        if self.most_users is not None and len(entries) > self.most_users:
            raise api.Refused(self.status_of_large_batches, "The batch is too large", "BatchTooLarge")

    def check_batch(self, entries: Sequence[api.Asked], asked: api.Asked) -> None:
        """Raise Refused where a call for many users is refused as a whole; nobody is written."""
        self.check_size(entries)
        values = [api.mapping(each, "dataFields") for each in entries]
        create = asked.get("createNewFields")
        create = create if isinstance(create, bool) else self.creates_fields
        if self.refuses_whole_batches:
            self.project.fields.rehearse(values, create=create)
        elif create:
            new = {name for each in values for name in each} - self.project.fields.types.keys()
            self.project.fields.refuse_too_many(len(new))

    def seen(self, found: Iterable[User]) -> Iterator[User]:
        """Yield users as readers see them, also those whose removal is not seen yet."""
        hidden = {key: before for key, before in self.visible.hidden().items() if isinstance(key, int)}
        yield from (user for user in found if user.number not in hidden) if hidden else found
        yield from (before for before in hidden.values() if before is not None)

    def link(self, job: api.Job, file: api.Download) -> str:
        """Return a fresh link to a file of a job."""
        first = (job.job_id, file.filename) not in self._linked
        self._linked.add((job.job_id, file.filename))
        seconds = 0.0 if first and self.first_links_expired else self.export_lifetime
        return f"{self.url}/{quote(self.downloads.renew(file, seconds).path)}"

    def load(self, users: Iterable[Mapping[str, Any]]) -> None:
        """Add lists, users and their events before the start."""
        given = list(users)
        self.project.load(each for each in given if "event" not in each)
        for each in (each for each in given if "event" in each):
            by_email = self.project.kind == "email" or "userId" not in each
            user = self.project.find(*(("email", each["email"]) if by_email else ("user_id", each["userId"])))
            if user:
                self.events.save(each["event"], user, dict(each), each["dataFields"], create=True)

    def dump(self) -> Iterator[dict[str, Any]]:
        """Yield all lists, users and events as JSON."""
        yield from self.project.dump()
        yield from self.events.dump()

    def shown(self) -> Mapping[str, api.Shown]:
        """Return lists, users, and exports with the latest first."""
        return {
            "lists": api.Shown(
                self.project.lists.values(),
                lambda each: lists.summary(each) | {"count": sum(1 for _ in lists.members(self, each))},
            ),
            "users": api.Shown(self.project.users.values(), self.project.described),
            "exports": api.Shown(
                [*reversed(self.jobs.by_id.values())], lambda job: exports.describe(self, job)
            ),
        }  # fmt: skip
