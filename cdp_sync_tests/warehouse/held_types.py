"""The types of columns that a lake holds exactly, each with values at its borders: what Parquet keeps as it is."""

import re

HELD: dict[str, tuple[str, ...]] = {
    "BOOLEAN": ("true", "false"),
    "UTINYINT": ("0", "255"),
    "SMALLINT": ("-32768", "32767"),
    "INTEGER": ("-2147483648", "2147483647"),
    "BIGINT": ("-9223372036854775808", "9223372036854775807", "9007199254740993"),
    "UBIGINT": ("0", "18446744073709551615", "9007199254740993"),
    "DOUBLE": ("-1.7976931348623157e308", "4.9e-324", "0.1", "'infinity'", "'nan'"),
    "DECIMAL(18,4)": ("-99999999999999.9999", "0.0001"),
    "DECIMAL(38,4)": ("9999999999999999999999999999999999.9999", "-0.0001", "9007199254740993.0001"),
    "DECIMAL(38,0)": ("99999999999999999999999999999999999999",),
    "DATE": ("'0001-01-01'", "'9999-12-31'", "'2024-02-29'"),
    "TIMESTAMP WITH TIME ZONE": ("'1970-01-01 00:00:00.000001+00'", "'9999-12-31 23:59:59.999999+00'"),
    "UUID": ("'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
    "VARCHAR": ("''", "'é🙂'", "repeat('x', 100000)"),
    "VARCHAR[]": ("[]", "['a', null, '']"),
    "BIGINT[]": ("[9223372036854775807, null]",),
    "MAP(VARCHAR, BIGINT)": ("map {}", "map {'a': 9007199254740993}"),
    'STRUCT(field VARCHAR, "value" VARCHAR)[]': ("[{field: 'a', value: null}]", "[]"),
}


def leaves(kind: str) -> set[str]:
    """Return the types of values in a type: those of the elements of a list, of the fields of a struct or map."""
    kind = kind.strip()
    while kind.endswith("[]"):
        kind = kind[:-2]
    if inside := re.fullmatch(r"(STRUCT|MAP)\((.*)\)", kind):
        parts = re.split(r",\s*(?![^()]*\))", inside[2])
        named = inside[1] == "STRUCT"
        return set().union(*(leaves(part.split(" ", 1)[1] if named else part) for part in parts))
    return {re.sub(r"DECIMAL\(\d+,\d+\)", "DECIMAL", kind)}
