"""The demonstration: files arrive, are imported, a segment leaves; then corrections, and once more for nothing."""

from collections.abc import Callable, Mapping
from pathlib import Path

import dagster as dg

from cdp_sync.components.declarations import load_declarations
from cdp_sync.looking import look_at_export
from cdp_sync.orchestration.launching import Order, Outcome, launch
from cdp_sync.orchestration.places import data_folder
from cdp_sync.orchestration.project import load_connection
from cdp_sync.sandbox.demo import OUTBOX, deliver_corrections, write_demo_files
from cdp_sync.sandbox.stage import Stage
from cdp_sync.terminal import TerminalProgress, console, print_export_preview, print_goal, print_quarantine, print_table
from cdp_sync.warehouse import Warehouse
from cdp_sync.warehouse.history import quarantined

CONNECTIONS = ("webshop", "filiale", "mailing")

_TOTALS = """
select
    count(*) as profiles, count(email) as "with e-mail", count(customer_number) as "with customer number",
    sum(order_total) as "order total", sum(branch_total) as "branch total"
from warehouse.profile"""


def play() -> int:
    """Play all acts; return 0 if every run succeeded."""
    with Stage() as stage:
        definitions = {connection: load_connection(connection) for connection in CONNECTIONS}
        console.print(f"{stage.told.splitlines()[0]}\n")
        acts: tuple[tuple[str, Callable[[Path], object]], ...] = (
            ("1. The first files arrive", write_demo_files),
            ("2. One file is delivered again with corrections, one more arrives", deliver_corrections),
            ("3. Nothing has changed", lambda _root: None),
        )
        outcomes = [outcome for title, prepare in acts for outcome in _act(definitions, title, prepare, stage.root)]
        _show_warehouse()
        _show_outbox(stage.root / OUTBOX)
    console.print(
        "Look further:  cdp-sync runs · cdp-sync quarantine · cdp-sync profile ada.quill@example.com · "
        "cdp-sync segment regulars · make up"
    )
    return 0 if all(outcome.state == "success" for outcome in outcomes) else 1


def _act(
    definitions: Mapping[str, dg.Definitions], title: str, prepare: Callable[[Path], object], root: Path
) -> list[Outcome]:
    console.rule(f"[bold]{title}", align="left")
    prepare(root)
    outcomes = []
    for connection in CONNECTIONS:
        with TerminalProgress() as progress:
            outcome = launch(definitions[connection], Order(connection), progress)
        console.print(f"[bold]{connection}[/]  run {outcome.run_id}, {outcome.seconds:.1f} s")
        for report in outcome.goals:
            print_goal(report)
        outcomes.append(outcome)
    return outcomes


def _show_warehouse() -> None:
    console.rule("[bold]What is in the warehouse", align="left")
    with Warehouse(data_folder().warehouse).open("read") as session:
        totals = session.records(_TOTALS)[0]
        total, rows = quarantined(session, None, 12)
    print_table(("", ""), [(f"  {name}", f"{value:,}") for name, value in totals.items()])
    console.rule("[bold]What is in quarantine", align="left")
    print_quarantine(total, rows)


def _show_outbox(outbox: Path) -> None:
    console.rule("[bold]What left it, and what would leave it now", align="left")
    for file in sorted(outbox.iterdir()):
        rows = file.read_text(encoding="utf-8").splitlines()
        console.print(f"[bold]{file.name}[/]  {len(rows) - 1:,} rows")
        console.print("\n".join(f"  {row}" for row in rows[:3]), markup=False)
    print_export_preview(look_at_export(load_declarations(), "mailing", "audience"))
