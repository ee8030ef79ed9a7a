"""Merging in Dagster: the rules applied to every profile as an asset, and the jobs by which people decide.

What merges profiles is in `cdp_sync.merging`. Run config, tags, logs and metadata name profiles by id, never by value.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import dagster as dg
from pydantic import Field

from cdp_sync.calling import call
from cdp_sync.errors import Terminal
from cdp_sync.merging import Blocked, Merges, apply_rules, decisions, merge_by_hand, unmerge
from cdp_sync.model import Profiles
from cdp_sync.model.fingerprint import merge_fingerprint
from cdp_sync.orchestration.failures import attempt
from cdp_sync.orchestration.goals.segments import PROFILES
from cdp_sync.orchestration.resources import WAREHOUSE_POOL
from cdp_sync.orchestration.runs.progress import watcher
from cdp_sync.warehouse import Session, Warehouse
from cdp_sync.warehouse.history import count_profiles, standing_merges

MERGE = dg.AssetKey(["profiles", "merge"])
"""The asset that applies the merge rules to every profile."""

MERGE_TWO, UNMERGE = "merge_two_profiles", "unmerge_profile"
"""Names of the jobs by which people decide."""

_CHECK = "guarded_merges"
_MEANING = "No guard stopped a merge."
_REMEDY = (
    "`cdp-sync merges --preview` shows which pairs the rules still merge. Correct the values or the rules, or decide "
    "by hand: `cdp-sync merge LEFT RIGHT`."
)

_PRIORITY = -5_000
"""After the imports of a run, before its segments."""

_SHOWN = 20
"""Decisions, and merges that guards stopped, that the catalog shows."""

_SAID = 3
"""Of those, how many a check describes in words."""

_identifiers_here: ContextVar[tuple[str, ...]] = ContextVar("identifiers_to_unmerge", default=())


def build_merging(profiles: Profiles) -> dg.Definitions:
    """Return the jobs by which people merge and unmerge; with merge rules also their asset, its check and its job.

    The jobs exist without rules as well: a decision holds after its rule was removed.
    """
    jobs: list[Any] = [_merge_two_job(profiles), _unmerge_job(profiles)]
    if not profiles.merge_rules:
        return dg.Definitions(jobs=jobs)
    merge_profiles = dg.define_asset_job(
        "merge_profiles",
        selection=dg.AssetSelection.assets(MERGE).without_checks(),
        description="Applies the merge rules to every profile, not only to those that an import touches.",
    )
    return dg.Definitions(
        assets=[_merge_asset(profiles)], asset_checks=[_guard_check(profiles)], jobs=[*jobs, merge_profiles]
    )


@contextmanager
def identifiers_kept_here(identifiers: tuple[str, ...]) -> Iterator[None]:
    """Hand identifiers to the job that unmerges, within this process: run config is stored, and they are personal."""
    token = _identifiers_here.set(identifiers)
    try:
        yield
    finally:
        _identifiers_here.reset(token)


class MergeTwo(dg.Config):
    """Which two profiles become one, and who decides it."""

    left: str = Field(description="Id of a profile.")
    right: str = Field(description="Id of the other profile.")
    decided_by: str = Field(description="Who decides this. The decision keeps the name.")


class Unmerge(dg.Config):
    """Which profile is taken out of another one, and who decides it."""

    profile: str = Field(description="Id of the profile as it was before it was merged.")
    survivor: str | None = Field(None, description="Id of the profile that it is merged into; refused if it is not.")
    identifiers: int = Field(0, description="Leave it at 0: identifiers are split off with `cdp-sync unmerge` only.")
    decided_by: str = Field(description="Who decides this. The decision keeps the name.")


def _merge_asset(profiles: Profiles) -> dg.AssetsDefinition:
    rules = "\n".join(f"1. {rule.words}" for rule in profiles.merge_rules)

    @dg.asset(
        key=MERGE,
        deps=[PROFILES],
        group_name="profiles",
        description=(
            "The merge rules, applied to every profile. Imports apply them to the profiles that they touch; a new rule "
            f"applies to all others once this is materialized.\n\n{rules}\n\nThe {profiles.survivor} profile survives."
        ),
        kinds={"duckdb"},
        code_version=merge_fingerprint(profiles),
        required_resource_keys={"warehouse"},
        pool=WAREHOUSE_POOL,
        op_tags={"dagster/priority": str(_PRIORITY)},
    )
    def merge(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        warehouse: Warehouse = context.resources.warehouse.warehouse()

        def work() -> Merges:
            return apply_rules(warehouse, profiles, run_id=context.run.run_id, now=datetime.now(UTC))

        def look() -> tuple[dict[str, Any], int]:
            with warehouse.open("read") as session:
                return _standing(session), count_profiles(session)

        merges = attempt(context.log, work, lambda _error: None)
        context.log.info(merges.message)
        context.log_event(dg.AssetCheckEvaluation(asset_key=MERGE, check_name=_CHECK, **_checked(merges)))
        standing, profiles_there = attempt(context.log, look, lambda _error: None)
        context.log_event(dg.AssetMaterialization(PROFILES, metadata={"dagster/row_count": profiles_there}))
        return dg.MaterializeResult(metadata={**_metadata(merges), **standing})

    return merge


def _guard_check(profiles: Profiles) -> dg.AssetChecksDefinition:
    """Return the check that people can execute: it works the rules out, and changes nothing."""

    @dg.asset_check(
        asset=MERGE, name=_CHECK, description=_MEANING, required_resource_keys={"warehouse"}, pool=WAREHOUSE_POOL
    )
    def guarded_merges(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        warehouse, now = context.resources.warehouse.warehouse(), datetime.now(UTC)
        return dg.AssetCheckResult(
            **_checked(apply_rules(warehouse, profiles, run_id=context.run.run_id, now=now, preview=True))
        )

    return guarded_merges


def _merge_two_job(profiles: Profiles) -> dg.JobDefinition:
    @dg.op(
        description="Store the decision that two profiles are one, and merge them.",
        out=dg.Out(dg.Nothing),
        required_resource_keys={"warehouse"},
        pool=WAREHOUSE_POOL,
    )
    def merge_two(context: dg.OpExecutionContext, config: MergeTwo) -> None:
        def work(warehouse: Warehouse, run_id: str, now: datetime) -> Merges:
            left, right = _profile_id(config.left), _profile_id(config.right)
            return merge_by_hand(warehouse, profiles, left, right, decided_by=config.decided_by, run_id=run_id, now=now)

        _decide(context, work)

    @dg.job(name=MERGE_TWO, description="Merges two profiles by hand, whatever the merge rules say.")
    def merge_two_profiles() -> None:
        merge_two()

    return merge_two_profiles


def _unmerge_job(profiles: Profiles) -> dg.JobDefinition:
    @dg.op(
        name="unmerge",
        description="Take a profile out of the one that it is merged into, and store that they stay apart.",
        out=dg.Out(dg.Nothing),
        required_resource_keys={"warehouse"},
        pool=WAREHOUSE_POOL,
    )
    def take_out(context: dg.OpExecutionContext, config: Unmerge) -> None:
        def work(warehouse: Warehouse, run_id: str, now: datetime) -> Merges:
            return unmerge(
                warehouse,
                profiles,
                _profile_id(config.profile),
                survivor=_profile_id(config.survivor) if config.survivor else None,
                identifiers=_identifiers(config.identifiers),
                decided_by=config.decided_by,
                run_id=run_id,
                now=now,
            )

        _decide(context, work)

    @dg.job(name=UNMERGE, description="Takes a profile out of another one for good: no rule merges them again.")
    def unmerge_profile() -> None:
        take_out()

    return unmerge_profile


def _decide(context: dg.OpExecutionContext, work: Callable[[Warehouse, str, datetime], Merges]) -> None:
    """Do what a person decided, and show what it changed."""
    warehouse = context.resources.warehouse.warehouse()
    now = datetime.now(UTC)
    merges = attempt(context.log, lambda: work(warehouse, context.run_id, now), lambda _error: None)
    watcher().decided(merges)
    context.log.info(merges.message)
    context.add_output_metadata(_metadata(merges))


def _profile_id(given: str) -> str:
    """Return the id that was given, without a word of what it is where it is none: it may be an e-mail address.

    Raises:
        Terminal: It is no id.
    """
    try:
        return str(UUID(given.strip()))
    except ValueError:
        raise Terminal(
            "The run config names a profile by something that is no id.",
            needed="Run config is stored, so it names profiles by id only.",
            remedy=f"`{call('profile VALUE')}` shows the id of the profile with an identifier.",
        ) from None


def _identifiers(expected: int) -> tuple[str, ...]:
    """Return the identifiers that the command handed over.

    Raises:
        Terminal: The run was launched elsewhere, such as again in the UI: they are not stored with a run.
    """
    found = _identifiers_here.get()
    if len(found) == expected:
        return found
    raise Terminal(
        f"The run is about {expected:,} identifiers, which are not stored with it.",
        needed="Only the process of the command has them.",
        remedy=f"Run `{call('unmerge PROFILE --identifiers A,B')}`.",
    )


def _checked(merges: Merges) -> dict[str, Any]:
    """Return the result of the check: a warning where guards stopped merges."""
    metadata: dict[str, Any] = {"merges_stopped": len(merges.blocked)}
    if merges.blocked:
        metadata |= {"stopped": _stopped(merges.blocked), "what to do": _REMEDY}
    return {
        "passed": not merges.blocked,
        "severity": dg.AssetCheckSeverity.WARN,
        "metadata": metadata,
        "description": " ".join(each.words for each in merges.blocked[:_SAID]) or None,
    }


def _metadata(merges: Merges) -> dict[str, Any]:
    stopped = {"stopped": _stopped(merges.blocked)} if merges.blocked else {}
    counts = {"profiles_merged": merges.merged, "profiles_unmerged": merges.unmerged}
    return {"summary": merges.message, **counts, "merges_stopped": len(merges.blocked), **stopped}


def _standing(session: Session) -> dict[str, Any]:
    """Return the decisions that hold: how many by each rule, and the last ones by id."""
    by_rule = [{"rule": rule or "by hand", "decisions": times} for rule, times in standing_merges(session)]
    _, latest = decisions(session, limit=_SHOWN)
    pairs = [
        {
            "decided at": f"{each['decided_at']:%Y-%m-%d %H:%M:%S}",
            "what": str(each["kind"]).replace("_", " ") + (" (revoked)" if each["revoked_at"] else ""),
            "left": str(each["left_id"]),
            "right": str(each["right_id"]),
            "rule": each["rule"] or "by hand",
        }
        for each in latest
    ]
    return {
        "decisions": sum(row["decisions"] for row in by_rule),
        "by rule": _table(("rule", "decisions"), by_rule),
        "last decisions": _table(("decided at", "what", "left", "right", "rule"), pairs),
    }


def _stopped(blocked: tuple[Blocked, ...]) -> dg.TableMetadataValue:
    rows = [
        {"guard": each.guard, "rule": each.rule or "", "profiles": each.profiles, "some ids": " ".join(each.sample)}
        for each in blocked[:_SHOWN]
    ]
    return _table(("guard", "rule", "profiles", "some ids"), rows)


def _table(names: tuple[str, ...], rows: list[dict[str, Any]]) -> dg.TableMetadataValue:
    columns = [dg.TableColumn(name, type="int" if name in ("profiles", "decisions") else "string") for name in names]
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows], schema=dg.TableSchema(columns))
