"""What is played: the account, and everything that people may turn."""

from collections.abc import Collection
from typing import Literal
from zoneinfo import ZoneInfo

from cdp_sync.sandbox.sailthru.account import Account
from cdp_sync.sandbox.sailthru.calls import Calls
from cdp_sync.sandbox.sailthru.faults import Fault, Faults
from cdp_sync.sandbox.sailthru.jobs import Jobs
from cdp_sync.sandbox.sailthru.limits import Limits, Windows
from cdp_sync.sandbox.sailthru.times import Clock
from cdp_sync.sandbox.sailthru.visible import Visible

Method = Literal["GET", "POST", "DELETE"]


class Scene:
    """The state behind the API, and its knobs; those that are plain attributes may be turned while it is played.

    Args:
        api_key: The only key.
        api_secret: What calls are signed with.
        time_zone: The account's.
        limits: Calls allowed in a minute; None allows all.
        clock: Of jobs, minutes and visibility; a clock that stands still may be moved by hand.
    """

    def __init__(
        self, *, api_key: str, api_secret: str, time_zone: str = "America/New_York", limits: Limits | None = None,
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self.api_key = api_key
        self.api_secret = api_secret
        self.limits = limits or Limits()
        self.url = ""
        """Where it is served; empty before."""
        self.clock = clock or Clock()
        self.account = Account(self.clock, ZoneInfo(time_zone))
        self.jobs = Jobs(self.clock)
        self.calls = Calls()
        self.windows = Windows()
        self.faults = Faults()
        self.visible = Visible(self.clock)
        self.permitted: frozenset[str] | None = None
        """The endpoints that the key may call; None is for all."""
        self.job_seconds = 0.0
        """How long a job is pending before its work begins."""
        self.jobs_fail: bool | Collection[str] = False
        """Whether jobs that are started end as `error`, doing nothing; or which kinds do."""
        self.jobs_hang: bool | Collection[str] = False
        """Whether jobs that are started stay `pending` for ever; or which kinds do."""
        self.export_lifetime = 7200.0
        """How many seconds an export can be downloaded."""
        self.visible_after = 0.0
        """After how many seconds `GET user` sees a change."""
        self.clear_emails = False
        """Whether exports carry e-mail addresses, not only hashes of them."""
        self.silent_drops: Collection[str] = ()
        """E-mail addresses that `update` jobs leave out without a word."""
        self.reports_lines = True
        """Whether finished `update` and `import` jobs tell how many lines they took."""

    def permit(self, *endpoints: str) -> None:
        """Let the key call these endpoints only; none lets it call all again."""
        self.permitted = frozenset(endpoints) or None

    def fail(
        self, endpoint: str, method: Method = "POST", *, status: int | None = None, delay: float = 0.0,
        cut: bool = False, times: int = 1,
    ) -> None:  # fmt: skip
        """Let the next calls fail; endpoint `export` with GET is for downloads.

        Args:
            endpoint: Which calls.
            method: Which of them.
            status: They do nothing and are answered with this.
            delay: They are done, and answered after this many real seconds.
            cut: They are done, and the connection is closed in the middle of the answer.
            times: How many calls.
        """
        self.faults.add(endpoint, method, Fault(status, delay, cut), times)
