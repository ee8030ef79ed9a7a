"""How values are written in the types that Iterable keeps."""


def value_of(kind: str, value: str) -> str:
    """Return the expression for one value of a property's type, in the type that Iterable keeps.

    Times are written as Iterable returns them, in UTC and whole seconds; days as YYYY-MM-DD. A decimal always has a
    fraction, so that a field that it creates is a double and not a long.
    """
    match kind:
        case "number" | "decimal" | "boolean":
            return value
        case "date":
            return f"strftime({value}, '%Y-%m-%d')"
        case "datetime":
            return f"strftime({value}, '%Y-%m-%d %H:%M:%S +00:00')"
        case _:
            return f"{value}::varchar"
