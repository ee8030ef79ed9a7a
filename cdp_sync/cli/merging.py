"""Commands about which profiles are one: merges, merge, unmerge."""

from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import click

from cdp_sync.cli.options import AS_JSON, COUNT, answer, end, warehouse

if TYPE_CHECKING:
    from cdp_sync.merge_preview import MergePreview
    from cdp_sync.orchestration.runs.deciding import Decided, DecisionOrder


def _user_name() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may have no name for its user
        return "command line"


_BY = click.option("--by", default=_user_name, show_default="your user name", help="Who decides; it is stored.")
_PREVIEW = click.option("--preview", is_flag=True, help="Show what would happen; change nothing.")


@click.command()
@click.option("--profile", "value", metavar="VALUE", help="Only of this profile: its id, or an identifier's value.")
@click.option("--rule", metavar="WORDS", help="Only by this rule, in the words in which it is shown.")
@click.option("--limit", type=COUNT, default=50, show_default=True, help="How many.")
@click.option("--preview", is_flag=True, help="Show instead which pairs the rules would merge now; change nothing.")
@AS_JSON
def merges(value: str | None, rule: str | None, limit: int, preview: bool, as_json: bool) -> None:
    """Show which profiles were merged or are kept apart, latest first: by which rule, or by decision of a person.

    With --preview show the pairs that the rules would merge now, each with its evidence, and what guards stop.
    """
    from cdp_sync import merge_preview
    from cdp_sync.terminal.profiles import print_decisions

    warehouse()  # says so where there is none
    if preview:
        if value is not None or rule is not None:
            raise click.UsageError("--preview shows what all rules would do: no --profile and no --rule goes with it.")
        _show(merge_preview.preview_rules(), as_json=as_json)
    total, found = merge_preview.look_at_decisions(value, rule, limit)
    answer(found, partial(print_decisions, total), lambda rows: {"total": total, "rows": rows}, as_json=as_json)


@click.command()
@click.argument("left")
@click.argument("right")
@_BY
@_PREVIEW
@AS_JSON
def merge(left: str, right: str, by: str, preview: bool, as_json: bool) -> None:
    """Merge two profiles by hand, each named by its id or an identifier's value; the run stands in the UI's history.

    Rules and guards do not undo it. `unmerge` does.
    """
    from cdp_sync import merge_preview

    warehouse()
    first, second = map(merge_preview.id_named, (left, right))
    if preview:
        _show(merge_preview.preview_merge(first, second, decided_by=by), as_json=as_json)
    from cdp_sync.orchestration.runs.deciding import merge_order

    _decide(merge_order(first, second, decided_by=by), as_json=as_json)


def _listed(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Return the values between commas; an empty text, such as a variable that is not set, would stand for nothing."""
    values = tuple(part.strip() for part in value.split(",")) if value is not None else ()
    if "" in values:
        raise click.BadParameter("one of the values is empty; needed are values such as a@example.com,b@example.com.")
    return values


@click.command()
@click.argument("profile")
@click.option("--from", "survivor", metavar="SURVIVOR", help="Refuse it unless PROFILE is merged into this one.")
@click.option(
    "--identifiers", metavar="A,B", callback=_listed, help="Split off these values only: they become a new profile."
)
@_BY
@_PREVIEW
@AS_JSON
def unmerge(
    profile: str, *, survivor: str | None, identifiers: tuple[str, ...], by: str, preview: bool, as_json: bool
) -> None:
    """Take PROFILE out of the one that it was merged into, for good: no rule and no file merges them again.

    PROFILE is its id or an identifier's value. Both sides have their own values again, and what came since goes to the
    side that its rows named. The run stands in the UI's history.
    """
    from cdp_sync import merge_preview

    warehouse()
    name = merge_preview.id_named(profile, alone=not identifiers)
    into = None if survivor is None else merge_preview.id_named(survivor)
    asked: dict[str, Any] = {"survivor": into, "identifiers": identifiers, "decided_by": by}
    if preview:
        _show(merge_preview.preview_unmerge(name, **asked), as_json=as_json)
    from cdp_sync.orchestration.runs.deciding import unmerge_order

    _decide(unmerge_order(name, **asked), as_json=as_json)


def _show(found: "MergePreview", *, as_json: bool) -> NoReturn:
    """Show what a preview found."""
    from cdp_sync.merge_preview import MergePreview
    from cdp_sync.terminal.profiles import print_merge_preview

    answer(found, print_merge_preview, MergePreview.to_json, as_json=as_json)
    end(fine=True)


def _decide(order: "DecisionOrder", *, as_json: bool) -> NoReturn:
    """Run a decision through Dagster, and show its result."""
    from cdp_sync.orchestration.garbage import uncollected

    with uncollected():
        from cdp_sync.orchestration.project import load_profile_jobs
        from cdp_sync.orchestration.runs.deciding import decide

        definitions = load_profile_jobs()
    decided = decide(definitions, order)
    answer(decided, _show_decided, _decided_json, as_json=as_json)
    end(fine=decided.merges is not None)


def _show_decided(decided: "Decided") -> None:
    from cdp_sync.printing import print_error
    from cdp_sync.terminal.profiles import print_merges

    if decided.merges:
        print_merges(decided.merges)
    else:
        print_error(decided.message)


def _decided_json(decided: "Decided") -> dict[str, Any]:
    from cdp_sync.merge_preview import merges_json

    run = {"run_id": decided.run_id, "state": decided.state, "message": decided.message}
    return {**run, **(merges_json(decided.merges) if decided.merges else {})}


COMMANDS = (merges, merge, unmerge)
