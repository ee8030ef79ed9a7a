"""Errors of requests, the network and the operating system, as our errors.

Their texts may hold an address with its query, so they are not passed on. For the same reason our errors are raised
without a cause: its text would be kept with them.
"""

import logging
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
import urllib3
from requests import exceptions

from cdp_sync import errors
from cdp_sync.connectors.http.deadline import Deadline

PROBLEMS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""All that sending and receiving raises."""

_LOST = "The next attempt may succeed. If it keeps happening, check the line."


def address(url: str) -> str:
    """Name a server in a sentence: scheme, host and port alone."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def describe(problem: Exception, url: str, deadline: Deadline) -> errors.CdpSyncError:
    """Return an error of a call to an address as ours."""
    where = address(url)
    if deadline.passed:
        return errors.ConnectionLost(f"{where} did not answer in full within {deadline.seconds:g} s.", remedy=_LOST)
    if isinstance(problem, exceptions.InvalidHeader):
        return errors.SettingUnusable(
            f"A header for {where} holds a character that HTTP does not allow, such as a line break.",
            remedy="Check the secrets that are sent in headers.",
        )
    if isinstance(problem, (exceptions.ProxyError, exceptions.InvalidProxyURL)):
        return errors.ServerUnreachable(f"{where} cannot be reached through the proxy.", remedy="Check HTTPS_PROXY.")
    if isinstance(problem, exceptions.SSLError):
        return _tls(problem, where)
    silent = isinstance(problem, (exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError))
    if not silent and (unreachable := _unreachable_reason(problem)):
        return errors.ServerUnreachable(
            f"{where} cannot be reached: {unreachable}.",
            remedy="Check its address, and that no firewall is in between.",
        )
    return errors.ConnectionLost(f"{where} fell silent." if silent else f"The line to {where} dropped.", remedy=_LOST)


def _tls(problem: exceptions.SSLError, where: str) -> errors.CdpSyncError:
    for cause in _causes(problem):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return errors.CertificateRejected(
                f"The certificate of {where} is not trusted: {cause.verify_message}.",
                needed="Needed is a certificate for this host, of an authority that this machine trusts.",
                remedy="Name the authority's file in REQUESTS_CA_BUNDLE, or correct the address.",
            )
        if isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return errors.ConnectionLost(f"The line to {where} dropped.", remedy=_LOST)
    return errors.ServerRefused(
        f"{where} and cdp_sync have no common TLS version.", remedy="Check that its address is right."
    )


def _unreachable_reason(problem: Exception) -> str:
    if isinstance(problem, (exceptions.InvalidURL, exceptions.InvalidSchema, exceptions.MissingSchema)):
        return "that is not an address"
    for cause in _causes(problem):
        if isinstance(cause, urllib3.exceptions.NameResolutionError):
            return "its name is unknown"
        if isinstance(cause, urllib3.exceptions.NewConnectionError):
            system = next((each for each in _causes(cause) if isinstance(each, OSError) and each.strerror), None)
            return str(system.strerror).lower() if system and isinstance(system, OSError) else "the connection failed"
        if isinstance(cause, urllib3.exceptions.ConnectTimeoutError):  # of which that one is a kind
            return "no answer"
    return ""


def _causes(problem: BaseException | None) -> Iterator[BaseException]:
    """Yield a problem and those inside it: requests and urllib3 wrap them as arguments, reasons and causes."""
    seen: list[BaseException] = []
    waiting = [problem]
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, BaseException) and found not in seen:
            seen.append(found)
            yield found
            waiting += [getattr(found, "reason", None), found.__cause__, found.__context__]
            waiting += [inner for inner in found.args if isinstance(inner, BaseException)]


def _without_query(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args)
    return True


# urllib3 logs the query of every call on the level DEBUG, and of some that fail on WARNING.
for _name in ("connectionpool", "connection", "util.retry", "response"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_without_query)
