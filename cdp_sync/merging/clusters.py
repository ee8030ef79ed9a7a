"""Connects members to clusters: which profiles are one, by all evidence less what guards stop.

Whatever order profiles came in, the same evidence gives the same clusters: guards look at all of it. A cluster that
does not fit loses the edges of its last rule first, those that decisions were made of before as well.
"""

from collections.abc import Iterator

from cdp_sync.merging.evidence import SQL, unique_properties
from cdp_sync.merging.report import Blocked
from cdp_sync.model import Profiles
from cdp_sync.model.merge_rule import MOST_HOLDERS, MOST_MERGES
from cdp_sync.warehouse import Session, Step, fixed, quote_literal


def connect(session: Session, profiles: Profiles) -> None:
    """Make `cluster` and `blocked` of the evidence."""
    session.run(_edge_steps(profiles))
    _label(session)
    for number in range(len(profiles.merge_rules) + 1, 0, -1):
        session.run([_misfit_step(profiles)])
        if not session.value("select exists (from misfit)"):
            break
        session.run(_left_out_steps(profiles, number))
        _label(session)
    _keep_apart(session, profiles)
    session.run([fixed("cluster", f"{SQL}/cluster", {"newest": profiles.survivor == "newest"})])


def blocked(session: Session) -> tuple[Blocked, ...]:
    """Return what guards stopped."""
    rows = session.rows("select guard, rule, profiles, sample from blocked order by all")
    return tuple(Blocked(guard, rule, profiles, tuple(sample)) for guard, rule, profiles, sample in rows)


def _edge_steps(profiles: Profiles) -> Iterator[Step]:
    words = rule_in_words(profiles)
    yield fixed("edge", f"{SQL}/edge")
    yield fixed("blocked", f"{SQL}/blocked", {"most": MOST_HOLDERS}, words=words)


def rule_in_words(profiles: Profiles) -> str:
    """Return the expression for the words of a rule by its number."""
    whens = " ".join(
        f"when {number} then {quote_literal(rule.words)}" for number, rule in enumerate(profiles.merge_rules, 1)
    )
    return f"case rule {whens} else 'a former rule' end" if whens else "'a former rule'"


def _label(session: Session) -> None:
    """Make `label`: the oldest member that edges lead to, directly or through others."""
    session.run([Step("label", "create or replace temp table label as select age, age as label from member")])
    differs = True
    while differs:  # labels only decrease; each round halves the way to the oldest member
        session.run((fixed("reached", f"{SQL}/reached"), fixed("next_label", f"{SQL}/next_label")))
        differs = session.value("select exists (from label join next_label n using (age) where n.label <> label.label)")
        session.run([Step("label", "create or replace temp table label as from next_label")])


def _misfit_step(profiles: Profiles) -> Step:
    """Return the step that makes `misfit`: clusters that are too large, or of people who differ."""
    sizes = "select label, 'too many merges' as guard, count(*) as profiles from label group by label"
    queries = [f"{sizes} having count(*) > {MOST_MERGES + 1}"]
    queries += [
        f"""select label, 'unique', count(*)
from label
join member using (age)
group by label
having count(distinct {name}) > 1"""
        for name in unique_properties(profiles)
    ]
    return Step("misfit", "create or replace temp table misfit as\n" + "\nunion all\n".join(queries))


def _left_out_steps(profiles: Profiles, number: int) -> Iterator[Step]:
    """Yield the steps that leave out the edges of a rule in clusters that do not fit, and note that."""
    words = rule_in_words(profiles).replace("case rule", f"case {number}", 1)
    yield fixed("blocked", f"{SQL}/blocked_misfit", {"rule": number}, words=words)
    yield fixed("edge", f"{SQL}/fitting_edge", {"rule": number})


def _keep_apart(session: Session, profiles: Profiles) -> None:
    """Leave out new edges that would bring members together that were decided to stay apart."""
    session.run([fixed("together", f"{SQL}/together")])
    if session.value("select exists (from together)"):
        session.run(
            (
                fixed("blocked", f"{SQL}/blocked_apart", words=rule_in_words(profiles)),
                fixed("edge", f"{SQL}/apart_edge"),
            )
        )
        _label(session)
