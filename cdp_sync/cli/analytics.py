"""The command that shows figures: analytics."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdp_sync.cli.options import warehouse

if TYPE_CHECKING:
    from cdp_sync.analytics import Figures, Timeframe

_VIEWS = ("identification", "customers", "performance", "campaigns", "campaign")
_DAY = click.DateTime(["%Y-%m-%d"])
_DAYS = 30


@click.command()
@click.argument("view", type=click.Choice(_VIEWS), default="performance")
@click.argument("name", required=False)
@click.option("--from", "since", type=_DAY, metavar="DAY", help="First day, in UTC.  [default: 30 days up to --to]")
@click.option("--to", "until", type=_DAY, metavar="DAY", help="Last day, in UTC, included.  [default: yesterday]")
@click.option(
    "--by", type=click.Choice(["total", "day", "week", "month"]), default="total", help="What a row is about."
)
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), help="How they are shown.")
@click.option("--json", "form", flag_value="json", help="The same as `--format json`.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write them to this file.")
def analytics(
    view: str,
    name: str | None,
    *,
    since: datetime | None,
    until: datetime | None,
    by: str,
    form: str | None,
    output: Path | None,
) -> None:
    """Show figures of whole days: of messages, of `campaign NAME` or all campaigns, of customers, or of identification.

    docs/analytics.md defines each figure. A file is CSV, or JSON where its name ends so.
    """
    if (view == "campaign") != (name is not None):
        raise click.UsageError("`campaign` needs the id or the name of a campaign, and no other view takes one.")
    figures = _figures(view, name, _timeframe(since, until, by))
    if output is None:
        _show(figures, form or "table")
        return
    form = form or ("json" if output.suffix.lower() == ".json" else "csv")
    if form == "table":
        raise click.UsageError("--output writes CSV or JSON: leave out `--format table`.")
    try:
        output.write_text(figures.text(form), encoding="utf-8")
    except OSError as problem:
        raise click.FileError(str(output), problem.strerror or "it cannot be written") from problem


def _timeframe(since: datetime | None, until: datetime | None, by: str) -> "Timeframe":
    from cdp_sync.analytics import Timeframe, first_day

    last = until.date() if until else datetime.now(UTC).date() - timedelta(days=1)
    first = since.date() if since else first_day(_DAYS, last)
    try:
        return Timeframe(first, last, by)  # type: ignore[arg-type]  # click has checked it
    except ValueError as problem:
        raise click.UsageError(f"--from and --to: {problem}.") from problem


def _figures(view: str, name: str | None, timeframe: "Timeframe") -> "Figures":
    from cdp_sync.analytics import view_campaign, view_figures
    from cdp_sync.orchestration.declaration_files import declared_profiles

    profiles = declared_profiles()
    with warehouse().open("read") as session:
        if name is not None:
            return view_campaign(session, profiles, name, timeframe)
        return view_figures(session, profiles, view, timeframe)


def _show(figures: "Figures", form: str) -> None:
    from cdp_sync.printing import console, print_json
    from cdp_sync.terminal.figures import print_figures

    if form == "table":
        print_figures(figures)
    elif form == "json":
        print_json(figures.to_json())
    else:
        console.write(figures.to_csv())


COMMANDS = (analytics,)
