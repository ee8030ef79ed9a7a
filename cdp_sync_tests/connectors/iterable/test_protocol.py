"""Requests as they are sent, and the declared rate limits."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from cdp_sync.connectors.http.rate_limit import Bucket
from cdp_sync.connectors.iterable import protocol
from cdp_sync.connectors.iterable.protocol import BUCKETS, Call, UserQuery

BASE = "https://api.iterable.com"
DAY = datetime(2026, 3, 1, 12, 30, 15, 999_999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("call", "address"),
    [
        (protocol.get_lists(), "GET /api/lists?"),
        (protocol.get_list_users(7), "GET /api/lists/getUsers?listId=7"),
        (protocol.get_list_users(7, prefer_user_id=True), "GET /api/lists/getUsers?listId=7&preferUserId=true"),
        (protocol.get_list_size(7), "GET /api/lists/7/size?"),
        (protocol.get_user("email", "a/b+c@x.com"), "GET /api/users/getByEmail?email=a%2Fb%2Bc%40x.com"),
        (protocol.get_user("userId", "U 1"), "GET /api/users/byUserId?userId=U+1"),
        (protocol.get_export_files(9), "GET /api/export/9/files?"),
        (protocol.get_export_files(9, "f 1.json"), "GET /api/export/9/files?startAfter=f+1.json"),
        (protocol.cancel_export(9), "DELETE /api/export/9?"),
        (protocol.stream_users(UserQuery()), "GET /api/export/data.json?dataTypeName=user&range=All"),
    ],
)
def test_a_call_goes_to_its_address(call: Call, address: str) -> None:
    """Identifiers are in the query, as an address with a slash is not valid in a path."""
    assert f"{call.method} {call.url('')}?{protocol.query_text(call)}" == address


def test_a_period_has_a_time_zone() -> None:
    """A period has an explicit time zone, and its seconds are truncated so that it does not begin too late."""
    elsewhere = DAY.astimezone(timezone(timedelta(hours=5)))
    call = protocol.start_export(UserQuery(elsewhere, DAY + timedelta(days=1), ("email", "plan")))
    assert call.body == {
        "dataTypeName": "user",
        "outputFormat": "application/x-json-stream",
        "startDateTime": "2026-03-01 12:30:15 +00:00",
        "endDateTime": "2026-03-02 12:30:15 +00:00",
        "onlyFields": "email,plan",
    }
    assert "range" not in protocol.stream_users(UserQuery(DAY, DAY)).query


def test_users_of_a_bulk_call_are_sent_as_written() -> None:
    """Users are sent as the JSON that was written, and nobody is unsubscribed from a channel."""
    users = [b'{"email":"a@x.com"}', b'{"userId":"U"}']
    bodies = [
        protocol.bulk_update(users, create_fields=False).body,
        protocol.subscribe(7, users, existing_only=True).body,
        protocol.unsubscribe(7, users).body,
    ]
    both = [{"email": "a@x.com"}, {"userId": "U"}]
    assert [json.loads(body) for body in bodies if isinstance(body, bytes)] == [
        {"users": both, "createNewFields": False},
        {"subscribers": both, "listId": 7, "updateExistingUsersOnly": True},
        {"subscribers": both, "listId": 7, "channelUnsubscribe": False},
    ]


def test_a_repr_shows_no_query_and_no_body() -> None:
    """The repr of a call shows neither query nor body."""
    jane = [b'{"email":"jane@example.com"}']
    calls = [protocol.get_user("email", "jane@example.com"), protocol.subscribe(7, jane, existing_only=True),
             protocol.unsubscribe(7, jane), protocol.bulk_update(jane, create_fields=True)]  # fmt: skip
    assert "jane" not in repr(calls)


@pytest.mark.parametrize(
    ("kind", "bucket"),
    [
        (protocol.get_lists().kind, Bucket(100, 1)),
        (protocol.get_list_users(7).kind, Bucket(5, 60)),
        (protocol.get_list_size(7).kind, Bucket(5, 60)),
        (protocol.get_user("email", "x").kind, Bucket(100, 1)),
        (protocol.get_fields().kind, Bucket(3, 1)),
        (protocol.bulk_update([], create_fields=True).kind, Bucket(5, 1)),
        (protocol.stream_users(UserQuery()).kind, Bucket(4, 60)),
        (protocol.start_export(UserQuery()).kind, Bucket(1, 1)),
        (protocol.get_export_files(1).kind, Bucket(1, 1)),
        (protocol.cancel_export(1).kind, Bucket(1, 1)),
        (("events/trackBulk", "POST"), Bucket(10, 1)),
        (("users/update", "POST"), Bucket(500, 1)),
        (("events/track", "POST"), Bucket(2000, 1)),
    ],
)
def test_documented_limits_are_declared(kind: protocol.Kind, bucket: Bucket) -> None:
    """The limits per endpoint and method equal those of the API documentation."""
    assert BUCKETS[kind] == bucket


def test_answers_without_rate_headers_are_normal() -> None:
    """Only a refusal has rate information, with a pause if the answer states one."""
    assert protocol.rate_info(200, {}).rate is None
    assert not protocol.rate_info(200, {}).refused
    assert protocol.rate_info(429, {}).refused
    assert protocol.rate_info(429, {"Retry-After": "60"}).retry_after == 60
    assert protocol.rate_info(429, {"Retry-After": "Thu, 01 Jan 2026"}).retry_after is None
