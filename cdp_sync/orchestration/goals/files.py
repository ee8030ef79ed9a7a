"""The files of an import goal as partitions of an asset: imported, failed or missing, and chosen for a backfill."""

import logging
from collections.abc import Iterable

import dagster as dg
from dagster import AssetPartitionStatus, DagsterEvent

from cdp_sync.importing.sources.scanning import Choice, Scan
from cdp_sync.model import FileReport
from cdp_sync.orchestration.dagster_internals import DATA_VERSION_TAG, AssetMaterializationPlannedData

_FILES = "files"
_REFUSED = ("...", "\a", "\b", "\f", "\n", "\r", "\t", "\v", "\0")
"""What no partition's name may hold; a file of such a name is imported all the same."""

CHOICE = {
    "files": dg.Field(str, default_value="*", description="Wildcard: only files whose names match."),
    "again": dg.Field(bool, default_value=False, description="Also files that were imported and have not changed."),
}
"""What the launchpad can ask of a run."""


def files_key(connection: str, goal: str) -> dg.AssetKey:
    """Return the key of the asset whose partitions are the goal's files."""
    return dg.AssetKey([connection, goal, _FILES])


def is_files_key(key: dg.AssetKey) -> bool:
    """Return whether an asset's partitions are the files of a goal."""
    return len(key.path) == 3 and key.path[-1] == _FILES


def partitions_of(connection: str, goal: str) -> dg.DynamicPartitionsDefinition:
    """Return the files as partitions; each is called by its name in the goal's directory."""
    return dg.DynamicPartitionsDefinition(name=_partitions(connection, goal))


def _partitions(connection: str, goal: str) -> str:
    return f"{connection}__{goal}__{_FILES}"


def is_backfill(context: dg.OpExecutionContext) -> bool:
    """Return whether the run is about chosen files."""
    return context.has_partition_key or context.has_partition_key_range


def choice_of(context: dg.OpExecutionContext) -> Choice:
    """Return which files the run is about: the chosen partitions, or what the launchpad asks for."""
    if is_backfill(context):
        return Choice(names=frozenset(context.partition_keys), again=True)
    config = context.op_config or {}
    return Choice(pattern=config.get("files", "*"), again=config.get("again", False))


def expect_files(context: dg.OpExecutionContext, connection: str, goal: str, scan: Scan) -> None:
    """Make a partition of every file, and note which ones this run is to import: those it does not have failed."""
    names = [name for file in scan.files if _may_be_called(name := file.remote.name)]
    partitions = _partitions(connection, goal)
    new = set(names) - set(context.instance.get_dynamic_partitions(partitions))
    if new:
        context.instance.add_dynamic_partitions(partitions, [name for name in names if name in new])
    if not is_backfill(context):  # of a backfill Dagster has noted that itself
        for file in scan.due:
            if _may_be_called(file.name):
                planned = AssetMaterializationPlannedData(files_key(connection, goal), partition=file.name)
                event = DagsterEvent.build_asset_materialization_planned_event(context.job_name, "", planned)
                context.instance.report_dagster_event(event, context.run_id, logging.DEBUG)


def clear_failures(context: dg.OpExecutionContext, connection: str, goal: str, scan: Scan) -> None:
    """Take back failures that are over.

    A failed file that the ledger has as it is now was imported: by a run that ended before it could say so. One that is
    no longer there, or that the goal no longer selects, cannot be imported any more: its partition goes.
    """
    name, key = _partitions(connection, goal), files_key(connection, goal)
    states = {file.remote.name: file.state for file in scan.files}
    known = context.instance.get_dynamic_partitions(name)
    of = partitions_of(connection, goal)
    statuses = context.instance.get_status_by_partition(key, known, of) if known else None
    for failed in [name for name, status in (statuses or {}).items() if status is AssetPartitionStatus.FAILED]:
        if failed not in scan.names:
            context.instance.delete_dynamic_partition(name, failed)
        elif states.get(failed) == "unchanged":
            context.log_event(dg.AssetMaterialization(key, partition=failed, description="An earlier run imported it."))


def _may_be_called(name: str) -> bool:
    return not any(sign in name for sign in _REFUSED)


def note_files(context: dg.OpExecutionContext, connection: str, goal: str, files: Iterable[FileReport]) -> None:
    """Mark the partitions of imported files, each with its counters and, as its data version, what it is of."""
    for file in files:
        if file.state in ("imported", "unchanged") and _may_be_called(file.name):
            key, tags = files_key(connection, goal), {DATA_VERSION_TAG: file.version} if file.version else {}
            numbers = {name: number for name, number in vars(file.counters).items() if number}
            numbers["dagster/partition_row_count"] = file.counters.rows_read
            context.log_event(dg.AssetMaterialization(key, partition=file.name, metadata=numbers, tags=tags))


def imported_versions(instance: dg.DagsterInstance, connection: str, goal: str) -> set[str]:
    """Return the versions in which the files of a goal were imported last, by whatever run."""
    kind, key = dg.DagsterEventType.ASSET_MATERIALIZATION, files_key(connection, goal)
    by_file = instance.event_log_storage.get_latest_tags_by_partition(key, kind, [DATA_VERSION_TAG])
    return {tags[DATA_VERSION_TAG] for tags in by_file.values()}
