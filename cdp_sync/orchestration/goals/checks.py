"""Asset checks of a goal: what is in the quarantine for it now, and which profiles its export leaves out.

The steps of a goal log them themselves. As steps of their own they would not run where the goal fails, and the UI would
show them as failed for that. A run that finds nothing to do leaves them as they are. People can execute them, too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from cdp_sync.errors import CdpSyncError
from cdp_sync.model import EventExportReport, ExportReport
from cdp_sync.orchestration.goals.metadata import counters_in, reasons_table
from cdp_sync.orchestration.resources import reading_pool
from cdp_sync.warehouse import Session, Warehouse
from cdp_sync.warehouse.history import ambiguous_rows, standing


@dataclass(frozen=True)
class Check:
    """A check: it passes where its counter is 0."""

    counter: str
    meaning: str
    """What is so where it passes."""
    remedy: str = "cdp-sync quarantine {} shows each line with its reason. Correct the file or the declaration."


Checks = Mapping[str, Check]
"""By name."""

IMPORT_CHECKS = {
    "rejected_rows": Check("rows_rejected", "Every line of the files could be read as a row."),
    "rows_without_identifier": Check("rows_without_identifier", "Every row has a usable identifier."),
    "unmatched_rows": Check("rows_unmatched", "Every row found a profile."),
    "invalid_values": Check("values_invalid", "Every value could be converted to the type of its property."),
    "ambiguous_links": Check(
        "rows_ambiguous",
        "No row named more than one profile.",
        "Each row was applied to the profile that its first link finds. Profiles of one person may have to be merged.",
    ),
}

EXPORT_CHECKS = {
    "consent_skipped": Check(
        "profiles_without_consent",
        "Every profile of the segment may be exported.",
        "These profiles are left out until they consent to an objective of the connection.",
    ),
    "not_deliverable": Check(
        "profiles_not_deliverable",
        "Every profile's values can be delivered.",
        "cdp-sync quarantine {} names each profile with its reason. Correct its values or the declaration.",
    ),
}

EVENT_EXPORT_CHECKS = {
    "consent_skipped": Check(
        "events_without_consent",
        "Every event's profile may be exported.",
        "Events of these profiles are left out: they have not consented to an objective of the connection.",
    ),
    "not_deliverable": Check(
        "events_not_deliverable",
        "Every event's values can be delivered.",
        "cdp-sync quarantine {} names each event with its reason. Correct its values or the declaration.",
    ),
}

USER_EXPORT_CHECKS = EXPORT_CHECKS | {
    "profiles_without_identifier": Check(
        "profiles_without_identifier",
        "Every profile has an identifier of the platform.",
        "These profiles have no value in any linked property.",
    ),
    "unmatched_profiles": Check(
        "profiles_unmatched",
        "Every profile is a user of the platform.",
        "The platform does not know these profiles, and the goal creates no users; see create_users.",
    ),
}


@dataclass(frozen=True)
class Finding:
    """What a check found: how often, and why, most frequent first; with the file, where there is one."""

    times: int
    reasons: tuple[tuple[str, int], ...] = ()


Findings = Mapping[str, Finding]
"""By counter; what is not named is 0."""


def import_findings(session: Session, connection: str, goal: str) -> Findings:
    """Return what stands in the quarantine for an import goal, and how many rows named more than one profile."""
    found = {"rows_ambiguous": Finding(ambiguous_rows(session, connection, goal))}
    for each in standing(session, connection, goal):
        known = found.get(each.kind, Finding(0))
        reason = ": ".join(part for part in (each.path, each.field, each.reason) if part)
        found[each.kind] = Finding(known.times + each.times, (*known.reasons, (reason, each.times)))
    return found


def export_findings(report: ExportReport | EventExportReport) -> Findings:
    """Return which profiles or events an export leaves out."""
    found = {name: Finding(times) for name, times in vars(report.counters).items()}
    undelivered = next(name for name in found if name.endswith("_not_deliverable"))
    return found | {undelivered: Finding(found[undelivered].times, report.reasons)}


def note_checks(
    context: dg.OpExecutionContext, key: dg.AssetKey, checks: Checks, findings: Findings, *, anew: bool
) -> None:
    """Log the results of a goal's checks: all where it was materialized (`anew`), else those whose number changed."""
    before = {} if anew else _logged(context.instance, key, checks)
    for name, check in checks.items():
        found = findings.get(check.counter, Finding(0))
        if before.get(name) != found.times:
            result = dg.AssetCheckEvaluation(**_result(name, check, key, found))
            context.log_event(result)  # type: ignore[arg-type]  # declared for other events only


def note_import_checks(context: dg.OpExecutionContext, warehouse: Warehouse, key: dg.AssetKey, *, anew: bool) -> None:
    """Log the results of an import goal's checks; see `note_checks`.

    What the run did matters more than its checks: where the warehouse cannot be read, the next run logs them.
    """
    try:
        with warehouse.open("read") as session:
            findings = import_findings(session, *key.path)
    except CdpSyncError as error:
        context.log.warning(f"The checks of {'/'.join(key.path)} are not evaluated. {error}")
    else:
        note_checks(context, key, IMPORT_CHECKS, findings, anew=anew)


def build_checks(key: dg.AssetKey, checks: Checks) -> dg.AssetChecksDefinition:
    """Return the checks of a goal's asset, as people execute them: of an export by what its latest run says."""

    def look(context: dg.AssetCheckExecutionContext) -> Findings:
        if checks is IMPORT_CHECKS:
            with context.resources.warehouse.warehouse().open("read") as session:
                return import_findings(session, *key.path)
        # Its latest run may have found something to do, or not.
        materialized = context.instance.fetch_materializations(key, limit=1).records
        observed = context.instance.fetch_observations(key, limit=1).records
        latest = max((*materialized, *observed), key=lambda record: record.storage_id, default=None)
        event = latest and (latest.asset_materialization or latest.event_log_entry.asset_observation)
        return {name: Finding(times) for name, times in counters_in(event.metadata).items()} if event else {}

    specs = [dg.AssetCheckSpec(name, asset=key, description=check.meaning) for name, check in checks.items()]

    @dg.multi_asset_check(
        name=f"{'__'.join(key.path)}__checks",
        specs=specs,
        required_resource_keys={"warehouse"},
        pool=reading_pool(),
        can_subset=True,
    )
    def passes(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        findings = look(context)
        for name in sorted(asked.name for asked in context.selected_asset_check_keys):
            found = findings.get(checks[name].counter, Finding(0))
            yield dg.AssetCheckResult(**_result(name, checks[name], key, found))

    return passes


def _result(name: str, check: Check, key: dg.AssetKey, found: Finding) -> dict[str, Any]:
    metadata: dict[str, Any] = {check.counter: found.times}
    if found.reasons:
        metadata["reasons"] = reasons_table(found.reasons)
    if found.times:
        metadata["what to do"] = check.remedy.format(key.path[0])
    return {
        "check_name": name,
        "asset_key": key,
        "passed": not found.times,
        "severity": dg.AssetCheckSeverity.WARN,
        "metadata": metadata,
        "description": _in_words(check.counter, found.times) if found.times else None,
    }


def _in_words(counter: str, times: int) -> str:
    """Say a counter in words.

    >>> _in_words("rows_without_identifier", 1)
    '1 row without identifier.'
    """
    noun, _, rest = counter.partition("_")
    return f"{times:,} {noun.removesuffix('s') if times == 1 else noun} {rest.replace('_', ' ')}."


def _logged(instance: dg.DagsterInstance, key: dg.AssetKey, checks: Checks) -> dict[str, object]:
    """Return the numbers of the checks' latest results; one that was planned and has none is left out."""
    keys = [dg.AssetCheckKey(key, name) for name in checks]
    numbers: dict[str, object] = {}
    for found, record in instance.event_log_storage.get_latest_asset_check_execution_by_key(keys).items():
        result = record.evaluation if record else None
        if isinstance(result, dg.AssetCheckEvaluation):  # Dagster also keeps that one is planned
            numbers[found.name] = getattr(result.metadata.get(checks[found.name].counter), "value", None)
    return numbers
