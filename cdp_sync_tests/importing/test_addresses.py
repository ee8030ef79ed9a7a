"""Valid and invalid e-mail addresses in links, mapped cells and the oracle."""

import duckdb
import pytest

from cdp_sync.importing.converting.conversion import convert, fit
from cdp_sync.model import Format, Property
from cdp_sync.warehouse import Session
from cdp_sync_tests.oracle.addresses import read_address

ADDRESS = "ann@shop.example"
ACCEPTED = {
    ADDRESS: ADDRESS,
    "ANN@Shop.Example": ADDRESS,
    " ann@shop.example\t": ADDRESS,
    "\u00a0ann@shop.example\u200b": ADDRESS,
    "\u200eann@sh\u00adop.exam\ufeffple": ADDRESS,
    "Ann Lee <ann@shop.example>": ADDRESS,
    "Ann<ann@shop.example>": ADDRESS,
    "Lee, Ann <ann@shop.example>": ADDRESS,
    '"Lee, Ann" <ann@shop.example>': ADDRESS,
    "<ann@shop.example>": ADDRESS,
    "< ann@shop.example >": ADDRESS,
    "MAILTO:ann@shop.example": ADDRESS,
    "<mailto:ann@shop.example>": ADDRESS,
    "Ann <mailto:Ann@shop.example>": ADDRESS,
    "'ann@shop.example'": ADDRESS,
    '"ann@shop.example"': ADDRESS,
    "\u201cann@shop.example\u201d": ADDRESS,
    "\"'ann@shop.example'\"": ADDRESS,
    "ann@shop.example#mailto:ann@shop.example#": ADDRESS,
    "ann@localhost": "ann@localhost",
    "ann.lee+news@mail.shop.example": "ann.lee+news@mail.shop.example",
    "o'brien@shop.example": "o'brien@shop.example",
    "{ann}=lee/x@shop.example": "{ann}=lee/x@shop.example",
    "JöRG@bücher.example": "jörg@xn--bcher-kva.example",
    "JÖRG@BÜCHER.example": "jÖrg@xn--bcher-kva.example",
    "ann@XN--BCHER-KVA.example": "ann@xn--bcher-kva.example",
    "ann@bu\u0308cher.example": "ann@xn--bcher-kva.example",
    "ann@straße.example": "ann@xn--strae-oqa.example",
    "Ann <ann@\uff53\uff48\uff4f\uff50.example>": ADDRESS,
    "用户@例子.公司": "用户@xn--fsqu00a.xn--55qx5d",
    "i@x.io": "i@x.io",
    "I@X.IO": "i@x.io",
    "İ@x.io": "İ@x.io",
    "i\u0307@x.io": "i\u0307@x.io",
    "\u0131@x.io": "\u0131@x.io",
    "\u212a@x.io": "\u212a@x.io",
    "k\u017f@x.io": "k\u017f@x.io",
    "i@İx.io": "i@xn--ix-rub.io",
    "MAİLTO:i@x.io": None,
    f"ann@{'ü' * 40}.example": f"ann@xn--tda{'a' * 39}.example",
    "1@1-1.1a": "1@1-1.1a",
    "ann@xn--bcher-kva.example": "ann@xn--bcher-kva.example",
    f"{'a' * 64}@shop.example": f"{'a' * 64}@shop.example",
}
REFUSED = (
    "ann@\u0300x.example",
    f"ann@{'ü' * 80}.example",
    "ann",
    "@shop.example",
    "ann@",
    "ann@@shop.example",
    "ann@shop@example",
    "ann@12",
    "ann@127.0.0.1",
    "ann@[127.0.0.1]",
    "ann@shop..example",
    "ann@.shop.example",
    "ann@shop.example.",
    "ann@shop.example,",
    "ann@shop.example;",
    "ann@shop.example?",
    "ann@shop.example?subject=x",
    "ann@-shop.example",
    "ann@shop-.example",
    "ann@shop_one.example",
    "ann@shop,example",
    "ann @shop.example",
    "ann@shop .example",
    ".ann@shop.example",
    "ann.@shop.example",
    "ann..lee@shop.example",
    "'ann@shop.example",
    "ann'@shop.example",
    '"ann lee"@shop.example',
    "ann@shop.example bob@shop.example",
    "ann@shop.example;bob@shop.example",
    "ann@shop.example <bob@shop.example>",
    "Ann <ann@shop.example> <bob@shop.example>",
    "Ann <ann@shop.example",
    "ann@shop.example>",
    "<>",
    "mailto:",
    "smtp:ann@shop.example",
    "ann@shop.example#mailto:bob@shop.example#",
    "ann@shop.example\u3002",
    "ann\uff20shop.example",
    f"{'a' * 65}@shop.example",
    f"ann@{'a' * 120}.{'b' * 130}.example",
)
CASES: dict[str, str | None] = ACCEPTED | dict.fromkeys(REFUSED)


@pytest.mark.parametrize("identifier", [True, False])
def test_valid_addresses_are_read_and_others_refused(*, identifier: bool) -> None:
    """Addresses are converted and invalid ones refused, both as identifier and as property."""
    prop, form = Property(name="email", type="email", identifier=identifier), Format()
    query = f"""select cell, {convert(prop, "fitted", form).sql}
        from (select cell, {fit(prop, "cell", form)} as fitted from (select unnest($cells)::varchar as cell))"""
    with duckdb.connect() as connection:
        Session(connection).define_functions()
        assert dict(connection.execute(query, {"cells": list(CASES)}).fetchall()) == CASES


@pytest.mark.parametrize("cell", CASES)
def test_the_oracle_reads_the_same_addresses(cell: str) -> None:
    """The oracle accepts and refuses the same addresses."""
    assert read_address(cell) == CASES[cell]
