"""What can go wrong, as one tree. Whether to try again is a question about the type.

::

    CdpSyncError             found · needed · remedy
    ├── Terminal             trying again changes nothing
    │   ├── DeclarationError · UnknownName · NoProject · FilesInTheWay · SettingUnusable · SecretMissing · KeyUnreadable
    │   ├── CannotMerge · CannotUnmerge · HistoryUnusable · DumpUnusable · DiskFull · FileRejected · GoalFailed
    │   ├── MailRefused · RunGivenUp · WrongVersion · WrongWarehouse
    │   ├── WarehouseUnusable
    │   │   └── WarehouseDamaged · PropertyTypeChanged · ValueOutOfRange
    │   ├── ServerRefused
    │   │   └── AuthenticationFailed · HostKeyRejected · CertificateRejected · NoCommonAlgorithm · EndpointNotPermitted
    │   ├── FieldsRefused
    │   ├── RequestRefused
    │   │   └── ListUnknown · UserUnknown · UserForgotten
    │   └── RemotePathMissing · RemotePermissionDenied · RemoteNameRefused · RemoteNotAFile · RemoteDiskFull ·
    │       RemoteListingTooLong · RemoteTooSlow
    └── Transient            may pass; worth another attempt
        ├── ServerUnreachable · ConnectionLost · RateExceeded · JobUnfinished · MailPutOff · FileChanged ·
        │   WarehouseLocked ── WarehouseChanged
        │   WarehouseUnreachable
        └── RemoteFailure
            ├── RemoteSizeDiffers
            └── JobFailed
                └── JobLost
"""

import errno
from functools import partial


class CdpSyncError(Exception):
    """Any failure, in words that a person can act on.

    Args:
        found: What was found. Never a secret, never personal data.
        needed: What was needed instead.
        remedy: What to do.
    """

    def __init__(self, found: str, *, needed: str = "", remedy: str = "") -> None:
        super().__init__(found, needed, remedy)
        self.found, self.needed, self.remedy = found, needed, remedy

    def __str__(self) -> str:
        return " ".join(part for part in (self.found, self.needed, self.remedy) if part)

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling between processes, which keyword-only arguments do not by themselves."""
        return partial(type(self), needed=self.needed, remedy=self.remedy), (self.found,)


class Terminal(CdpSyncError):
    """Trying again changes nothing."""


class Transient(CdpSyncError):
    """May pass; worth another attempt."""


class DeclarationError(Terminal):
    """A declaration says something impossible."""


class UnknownName(Terminal):
    """No connection, goal or profile of that name."""


class CannotMerge(Terminal):
    """Two profiles cannot be made one: they are already, or one of them is none."""


class CannotUnmerge(Terminal):
    """A profile cannot be taken out of another: it was never merged, or not into that one."""


class HistoryUnusable(Terminal):
    """Dagster's history of runs cannot be opened, read or written."""


class DumpUnusable(Terminal):
    """A dump of a warehouse is not whole, damaged, or of another version."""


class RunGivenUp(Terminal):
    """The run has been ended by somebody else than its process, which must write nothing more."""


class WrongVersion(Terminal):
    """The run was submitted by other versions than those that are to execute it."""


class WrongWarehouse(Terminal):
    """The warehouse is not the one of the project's other runs, or belongs to another project."""


class WarehouseUnusable(Terminal):
    """The warehouse file is not ours, or from another version."""


class WarehouseDamaged(WarehouseUnusable):
    """A DuckDB file is cut off, or holds what DuckDB did not write."""


class PropertyTypeChanged(WarehouseUnusable):
    """A property's declared type differs from the column that holds its values."""


class ValueOutOfRange(WarehouseUnusable):
    """A value does not fit its column."""


class ServerRefused(Terminal):
    """The server will not have us."""


class AuthenticationFailed(ServerRefused):
    """Wrong user, password or key."""


class HostKeyRejected(ServerRefused):
    """The server's key is not the one that was declared."""


class CertificateRejected(ServerRefused):
    """The server's certificate is not one that we trust, or not its own."""


class NoCommonAlgorithm(ServerRefused):
    """The server offers no cipher, key exchange or signature that we accept."""


class EndpointNotPermitted(ServerRefused):
    """The account must not use a part of the platform that is needed."""


class FieldsRefused(Terminal):
    """The platform has no such fields, or they cannot hold what is exported."""


class RequestRefused(Terminal):
    """The platform will not have this one request, such as one profile's; it may have others."""


class UserUnknown(RequestRefused):
    """The platform has no user of that key, and creates none by it."""


class UserForgotten(RequestRefused):
    """The user had their data erased on the platform, which refuses them from then on."""


class ListUnknown(RequestRefused):
    """The platform has no list of that name."""


class KeyUnreadable(Terminal):
    """A private key that cannot be used."""


class SecretMissing(Terminal):
    """An environment variable or a file that should hold a secret is not there."""


class SettingUnusable(Terminal):
    """An environment variable that is missing, or says something impossible."""


class NoProject(Terminal):
    """The working directory is not a project's folder, and no variable names one."""


class FilesInTheWay(Terminal):
    """A new project or dump would overwrite files, or be mixed with them."""


class MailRefused(Terminal):
    """The mail server will not have this mail; it may have others."""


class RemotePathMissing(Terminal):
    """No such directory or file on the server."""


class RemotePermissionDenied(Terminal):
    """The server does not let this account read or write the path."""


class RemoteNameRefused(Terminal):
    """A name that would leave its directory, or that no file can have."""


class RemoteNotAFile(Terminal):
    """Something that is no regular file stands where one should go."""


class RemoteDiskFull(Terminal):
    """The server has no room for a file: its disk, the account's quota or a limit on the size of files."""


class RemoteListingTooLong(Terminal):
    """A directory holds more entries than a listing may have."""


class RemoteTooSlow(Terminal):
    """The server sends, but does not get on. Another attempt would take as long; the next run makes one."""


class DiskFull(Terminal):
    """No room for what was to be written."""


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says when a disk, a quota or a limit is full."""


class FileRejected(Terminal):
    """One file fails as a whole; nothing of it lands."""


class ProcessorFailed(FileRejected):
    """A processor cannot do its work on the rows of a file or an export."""


class GoalFailed(Terminal):
    """A goal whose files could not all land."""


class ServerUnreachable(Transient):
    """No connection could be made."""


class ConnectionLost(Transient):
    """The line dropped or fell silent."""


class MailPutOff(Transient):
    """The mail server does not take this mail now; it may take others."""


class RemoteFailure(Transient):
    """The server answered "failure" and no more."""


class RemoteSizeDiffers(RemoteFailure):
    """The server holds another number of bytes than it was sent and confirmed."""


class JobFailed(RemoteFailure):
    """A job that runs on the platform ended without a result; a new one may have one."""


class JobLost(JobFailed):
    """The platform does not know the job, or no longer has its result; only a new one helps."""


class JobUnfinished(Transient):
    """A job that runs on the platform did not end in time; it may still do."""


class RateExceeded(Transient):
    """The platform takes no more calls for now, although its stated rate was kept."""


class FileChanged(Transient):
    """The file changed while it was read; the next run takes it."""


class WarehouseLocked(Transient):
    """Another process holds the warehouse."""


class WarehouseChanged(WarehouseLocked):
    """Another process has written since what is to land was worked out: worked out again, it can land."""


class WarehouseUnreachable(Transient):
    """The database with the catalog of a lake, or the store with its files, does not answer."""
