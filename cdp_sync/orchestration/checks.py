"""Asset checks of an import goal: read from the run's own counters, they open nothing."""

from collections.abc import Iterator

import dagster as dg

_CHECKS = {
    "rejected_rows": ("rows_rejected", "Every row of the files could be told apart."),
    "unmatched_rows": ("rows_unmatched", "Every row found a profile."),
    "ambiguous_links": ("rows_ambiguous", "No row named more than one profile."),
}


def build_checks(key: dg.AssetKey, unique: str) -> dg.AssetChecksDefinition:
    """Return the checks *rejected_rows*, *unmatched_rows* and *ambiguous_links* of an asset."""
    specs = [dg.AssetCheckSpec(name, asset=key, description=told) for name, (_, told) in _CHECKS.items()]

    @dg.multi_asset_check(name=f"{unique}__checks", specs=specs)
    def checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        event = context.instance.get_latest_materialization_event(key)
        metadata = event.asset_materialization.metadata if event and event.asset_materialization else {}
        for name, (counter, _) in _CHECKS.items():
            yield _result(name, key, int(getattr(metadata.get(counter), "value", 0) or 0), counter)

    return checks


def _result(name: str, key: dg.AssetKey, found: int, counter: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not found,
        check_name=name,
        asset_key=key,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={counter: found},
        description=f"{found:,} {counter.replace('_', ' ')}. The quarantine says which and why." if found else None,
    )
