"""A connection to Sailthru: one account and its goals, in running order."""

from cdp_sync.model.connection import Connection
from cdp_sync.model.list_goal import ListGoal
from cdp_sync.model.sailthru import SailthruAccount
from cdp_sync.model.user_goal import UserExportGoal


class SailthruConnection(Connection, SailthruAccount):
    """One account with Sailthru and its goals, in running order."""

    import_profiles: tuple[ListGoal, ...] = ()
    """Import goals, in running order."""
    export_profiles: tuple[UserExportGoal, ...] = ()
    """Export goals, in running order; they run after the imports."""

    @property
    def account(self) -> SailthruAccount:
        """The account."""
        return SailthruAccount(**{name: getattr(self, name) for name in SailthruAccount.model_fields})
