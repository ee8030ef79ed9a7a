"""Chains of processors against a reading of them in plain Python, on generated rows."""

from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st

from cdp_sync_tests.generated import examples
from cdp_sync_tests.oracle import processing as oracle
from cdp_sync_tests.processing.rows import NOW, processors, run

FIELDS = ("a", "b", "c")
FUNCTIONS = "cdp_sync_tests.processing.functions"

CELLS = st.one_of(
    st.none(),
    st.sampled_from(
        [
            "",
            " ",
            "x",
            "X",
            "null",
            "NULL",
            "a|b",
            "a| x|",
            "31-12-2025",
            "2025-01-05",
            "ANN LEE",
            "van der berg-o'neill",
            "Ann@GMIAL.com",
            "a @ b.nl",
            "Ann <ann@example.org>",
            "020 123 4567",
            "+49 30 901820",
            "12",
            "Éa ß",
            "x\ny",
        ]
    ),
)


def in_field(name: str, **options: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Generate a processor of one field or several."""
    field = st.sampled_from([*FIELDS, ["a", "c"]])
    return st.fixed_dictionaries({"field": field}, optional=options).map(lambda settings: {name: settings})


PROCESSORS = st.one_of(
    st.sampled_from(["lower", "upper", "first", "words"]).flatmap(lambda to: in_field("casing").map(
        lambda one: {"casing": {**one["casing"], "to": to}}
    )),
    in_field("clean_email", correct_domains=st.booleans()),
    in_field("convert_values", separator=st.just("|"), any_case=st.booleans(), others=st.sampled_from(["keep", "clear"]))  # noqa: E501 - one list
    .map(lambda one: {"convert_values": {**one["convert_values"], "values": {"x": "y", "a": "", "null": "x"}}}),
    st.builds(
        lambda field, how, pattern: {"filter": {"field": field, how: pattern}},
        st.sampled_from(FIELDS), st.sampled_from(["keep", "drop"]), st.sampled_from(["x", "^$", "[0-9]+", "(?i)ann"]),
    ),
    st.just({"remove_nulls": {}}),
    in_field("remove_nulls", words=st.just(["x", "12"])),
    st.integers(1, 6).map(lambda rows: {"first_rows": {"rows": rows}}),
    st.sampled_from(["d", "b"]).map(lambda field: {"add_value": {"field": field, "value": "Fair's"}}),
    st.sampled_from(["e", "a"]).map(lambda field: {"add_date": {"field": field, "time_zone": "Asia/Tokyo"}}),
    st.sampled_from(["f", "c"]).map(lambda into: {"concatenate": {"fields": ["a", "b"], "into": into, "separator": "|"}}),  # noqa: E501 - one list
    st.sampled_from([["g", "h"], ["b", "g", "a"]]).map(
        lambda into: {"split": {"field": "a", "separator": "|", "into": into}}
    ),
    in_field("convert_dates").map(
        lambda one: {"convert_dates": {**one["convert_dates"], "from": ["%d-%m-%Y", "%Y-%m-%d"], "to": "%d/%m/%y"}}
    ),
    in_field("clean_phone", invalid=st.sampled_from(["keep", "clear"])).map(
        lambda one: {"clean_phone": {**one["clean_phone"], "country": "NL"}}
    ),
    in_field("clean_name"),
    in_field("drop_duplicates", keep=st.sampled_from(["first", "last"])),
    st.just({"drop_duplicates": {}}),
    in_field("hash", algorithm=st.sampled_from(["sha256", "sha1", "md5"]), normalize=st.booleans()),
    in_field("pseudonymize").map(lambda one: {"pseudonymize": {**one["pseudonymize"], "key_env": "KEY"}}),
    st.sampled_from(["lower", "lower_a", "in_reverse", "drop_all"]).map(lambda name: {"python": f"{FUNCTIONS}:{name}"}),
    st.just({"python": {"function": f"{FUNCTIONS}:drop_x", "adds": ["size"]}}),
)  # fmt: skip


@examples(60)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8), st.lists(PROCESSORS, min_size=1, max_size=6))
def test_chains_agree_with_plain_python(rows: list[tuple[Any, ...]], declared: list[dict[str, Any]]) -> None:
    """After any chain, both have the same fields, and the same cells in the rows that are left, in order."""
    note(f"{rows}\n{declared}")
    done = run(FIELDS, rows, *declared, KEY="secret")
    expected = [dict(zip(FIELDS, row, strict=True)) for row in rows]
    kept = oracle.process(expected, processors(declared), NOW, {"KEY": "secret"})
    assert done.kept == kept
    left = [row for row, is_kept in zip(expected, kept, strict=True) if is_kept]
    assert [dict(zip(done.fields, row, strict=True)) for row in done.left] == left


@examples(20)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=6), st.lists(PROCESSORS, min_size=1, max_size=4))
def test_rows_that_are_left_pass_the_same_chain_of_one_row_processors(
    rows: list[tuple[Any, ...]], declared: list[dict[str, Any]]
) -> None:
    """Processors of single rows do the same to the first rows alone as to all of them."""
    alone = [one for one in declared if not {"first_rows", "drop_duplicates"} & set(one)]
    whole, half = run(FIELDS, rows, *alone, KEY="secret"), run(FIELDS, rows[: len(rows) // 2], *alone, KEY="secret")
    assert half.kept == whole.kept[: len(half.kept)]
    assert half.left == whole.left[: len(half.left)]
