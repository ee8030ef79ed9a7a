"""The demonstration: imports files and lists and exports segments; then with corrections; then with no change."""

import csv
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import dagster as dg

from cdp_sync.calling import call
from cdp_sync.errors import NoProject
from cdp_sync.inspection import look_at_export
from cdp_sync.model.counting import counted
from cdp_sync.orchestration.data_folder import project_warehouse
from cdp_sync.orchestration.declaration_files import declared_names
from cdp_sync.orchestration.declarations import load_declarations
from cdp_sync.orchestration.project import load_connection
from cdp_sync.orchestration.runs.launch import Order, Outcome, launch
from cdp_sync.printing import print_table, print_title, say
from cdp_sync.sandbox.demo.comparison import BothSides, both_sides
from cdp_sync.sandbox.demo.exchange import CONNECTION as EXCHANGE
from cdp_sync.sandbox.demo.exchange import exchange_files, responses_agree
from cdp_sync.sandbox.demo.files import OUTBOX, VERA, deliver_corrections, write_demo_files
from cdp_sync.sandbox.demo.merges import couple_is_apart, mend_merges
from cdp_sync.sandbox.demo.readers import figures_agree, keen_readers_open_more
from cdp_sync.sandbox.demo.welcome import CONNECTION, deliver_first_order, first_order_is_noticed, greet_again
from cdp_sync.sandbox.servers import SandboxServers
from cdp_sync.scaffold.project import write_settings
from cdp_sync.terminal import print_export_preview, print_goal, print_quarantine, show_progress
from cdp_sync.warehouse.history import quarantined

CONNECTIONS = ("webshop", "filiale", "mailing", "sailthru", "iterable")
CAMPAIGNS = "bluecore"
DECLARED = (*CONNECTIONS, CAMPAIGNS, EXCHANGE)
"""All connections; those of one of its earlier versions are not enough."""
_DECLARED = Path(__file__).parent / "defs"

_TOTALS = """
select * from (
    select
        count(*) as profiles, count(email) as "with e-mail", count(customer_number) as "with customer number",
        sum(order_total) as "order total", sum(branch_total) as "branch total"
    from warehouse.live_profile
), (
    select count(*) as "merged into others" from warehouse.profile where merged_into is not null
), (
    select
        count(*) filter (not waits) as orders, sum(len(products)) filter (not waits)::bigint as "lines of orders",
        count(*) filter (waits) as "orders that wait"
    from (select products, profile_id is null or happened_at is null as waits from warehouse.event_order)
), (
    select count(*) as stores from warehouse.group_store
)"""


def play() -> int:
    """Run all acts; return 0 if every run succeeded, and every step came out as it says.

    Raises:
        NoProject: The working directory is neither empty nor the demonstration's project.
    """
    _prepare_folder()
    with SandboxServers(sailthru_port=0, iterable_port=0) as servers:
        definitions = {connection: load_connection(connection) for connection in CONNECTIONS}
        declarations = load_declarations()
        sides = both_sides(declarations)
        say(f"{_servers(servers)}\n", lines=True)
        first, *later = _acts(servers, sides, continues=project_warehouse().exists())
        outcomes = _act(definitions, sides, first)
        greeted = outcomes[CONNECTIONS.index(CONNECTION)]
        expected = (
            _succeeded(outcomes) and greet_again(definitions[CONNECTION], greeted, declarations) and mend_merges()
        )
        for act in later:
            outcomes += _act(definitions, sides, act)
        expected = keen_readers_open_more(servers.root, declarations) and expected
        print_title("A campaign: a letter, exported once")
        outcomes.append(_run(CAMPAIGNS, load_connection(CAMPAIGNS)))
        expected = exchange_files(servers.root, servers.folder, declarations) and expected
        expected = responses_agree(servers.root) and expected
        expected = figures_agree(servers.root, declarations) and expected
        expected = expected and couple_is_apart(servers.root) and first_order_is_noticed(servers.root, declarations)
        _show_warehouse()
        _show_outbox(servers.root / OUTBOX)
        for side in sides:
            _show_platform(side)
    further = [
        call(words)
        for words in (
            *("runs", "quarantine", "profile ada.quill@example.com", f"profile {VERA}", "group store B1"),
            *("segment regulars", "lifecycle welcome", "scores", "analytics campaigns", "merges", "up"),
        )
    ]
    say("\n  ".join(["Look further:", *further]), lines=True)
    return 0 if expected and _succeeded(outcomes) else 1


def _prepare_folder() -> None:
    """Make the working directory the demonstration's project, where it is empty and the package is installed."""
    here = Path.cwd()
    try:
        if set(DECLARED) <= set(declared_names()):
            return
        found = f"The project in {here} declares other connections than the demonstration's."
    except NoProject as problem:
        if not any(here.iterdir()):
            shutil.copytree(_DECLARED, here / "defs")
            write_settings(here)
            return
        found = problem.found
    raise NoProject(found, needed="The demonstration needs an empty folder.", remedy=f"Change into one: {call('demo')}")


Act = tuple[str, Callable[[], object]]
"""What an act is called, and what happens before its runs."""


def _acts(servers: SandboxServers, sides: Sequence[BothSides], *, continues: bool) -> tuple[Act, ...]:
    """Return the acts; where an earlier demonstration imported its files, they begin with the next day's.

    The first day's files are written in any case: those of an earlier version of the demonstration may differ.
    """
    corrections = "One file is delivered again with corrections, new ones arrive"
    last: Act = ("3. Nothing has changed", lambda: None)

    def deliver() -> None:
        deliver_first_order(servers.root)
        deliver_corrections(servers.root)

    def deliver_and_join() -> None:
        deliver()
        for side in sides:
            side.platform.add_newcomer()

    if continues:
        return (
            ("1. An earlier demonstration has imported these files", lambda: write_demo_files(servers.root, rounds=0)),
            (f"2. {corrections}", deliver),
            last,
        )
    arrive: Act = ("1. The first files arrive", lambda: write_demo_files(servers.root))
    return arrive, (f"2. {corrections}; two people join", deliver_and_join), last


def _succeeded(outcomes: Sequence[Outcome]) -> bool:
    return all(outcome.state == "success" for outcome in outcomes)


def _servers(servers: SandboxServers) -> str:
    """Name the servers that run meanwhile."""
    apis = [f"{api.vendor} on {api.url}." for api in (servers.newsletter, servers.campaigns) if api]
    return "\n".join([servers.summary.splitlines()[0], *apis])


def _act(definitions: Mapping[str, dg.Definitions], sides: Sequence[BothSides], act: Act) -> list[Outcome]:
    title, prepare = act
    print_title(title)
    prepare()
    outcomes = [_run(connection, definitions[connection]) for connection in CONNECTIONS]
    for side in sides:
        side.look()
    return outcomes


def _run(connection: str, definitions: dg.Definitions) -> Outcome:
    with show_progress() as progress:
        outcome = launch(definitions, Order(connection), progress)
    say((connection, "bold"), f"  run {outcome.run_id}, {outcome.seconds:.1f} s")
    for report in outcome.goals:
        print_goal(report)
    return outcome


def _show_warehouse() -> None:
    print_title("What is in the warehouse")
    with project_warehouse().open("read") as session:
        totals = session.records(_TOTALS)[0]
        total, rows = quarantined(session, None, 12)
    print_table(("", ""), [(f"  {name}", f"{value:,}") for name, value in totals.items()])
    print_title("What is in quarantine")
    print_quarantine(total, rows)


def _show_outbox(outbox: Path) -> None:
    print_title("What left it, and what would leave it now")
    for file in sorted(outbox.iterdir()):
        with file.open(encoding="utf-8", newline="") as text:
            rows = sum(1 for _ in csv.reader(text, delimiter=";")) - 1
        say((file.name, "bold"), f"  {counted(rows, 'row')}")
        for row in file.read_text(encoding="utf-8").splitlines()[:3]:
            say(f"  {row}")
    print_export_preview(look_at_export(load_declarations(), "mailing", "audience"))


def _show_platform(side: BothSides) -> None:
    name = side.platform.name
    print_title(f"What {name} has now, and what is here")
    print_table(("  list", "people"), [(f"  {listed}", count) for listed, count in side.platform.lists()])
    for what, person in side.people():
        say()
        say(f"{what}: ", (person.name, "bold"))
        print_table(("  ", "here", f"at {name}"), [(f"  {field}", *both) for field, *both in person.rows])
