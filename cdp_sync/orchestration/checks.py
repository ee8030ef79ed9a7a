"""Asset checks of a goal: read from the run's own counters, they open nothing."""

from collections.abc import Iterator, Mapping

import dagster as dg

IMPORT_CHECKS = {
    "rejected_rows": ("rows_rejected", "Every row of the files could be told apart."),
    "unmatched_rows": ("rows_unmatched", "Every row found a profile."),
    "ambiguous_links": ("rows_ambiguous", "No row named more than one profile."),
}

EXPORT_CHECKS = {
    "consent_skipped": ("profiles_without_consent", "Every profile of the segment may be exported."),
    "not_deliverable": ("profiles_not_deliverable", "The file can hold every profile's values."),
}


def build_checks(key: dg.AssetKey, unique: str, checks: Mapping[str, tuple[str, str]]) -> dg.AssetChecksDefinition:
    """Return an asset's checks, each given by name: the counter that has to be nothing, and what that means."""
    specs = [dg.AssetCheckSpec(name, asset=key, description=told) for name, (_, told) in checks.items()]

    @dg.multi_asset_check(name=f"{unique}__checks", specs=specs)
    def passes(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        event = context.instance.get_latest_materialization_event(key)
        metadata = event.asset_materialization.metadata if event and event.asset_materialization else {}
        for name, (counter, _) in checks.items():
            yield _result(name, key, int(getattr(metadata.get(counter), "value", 0) or 0), counter)

    return passes


def _result(name: str, key: dg.AssetKey, found: int, counter: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not found,
        check_name=name,
        asset_key=key,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={counter: found},
        description=f"{found:,} {counter.replace('_', ' ')}. The quarantine says which and why." if found else None,
    )
