"""The columns of the staging table that are made of one link, or of one mapped property."""

from dataclasses import dataclass

from cdp_sync.model import Property

_WIDE = {"number": "HUGEINT", "decimal": "DECIMAL(38,{scale})"}


@dataclass(frozen=True)
class StagedLink:
    """A link and the column that holds its values."""

    number: int
    field: str
    prop: Property

    @property
    def column(self) -> str:
        """Name of the staging column."""
        return f"link_{self.number}"


@dataclass(frozen=True)
class StagedValue:
    """A property that the goal fills, from which fields and how."""

    prop: Property
    mode: str
    fields: tuple[str, ...]
    prefix: str = ""
    """What the names of its columns begin with; of a value of the profile nothing."""
    named: str = ""
    """Name of the staging column, where the property's does not make it."""

    @property
    def column(self) -> str:
        """Name of the staging column."""
        return self.named or f"{self.prefix}value_{self.prop.name}"

    @property
    def clear(self) -> str:
        """Name of the column that says that the value is to be cleared."""
        return f"clear_{self.prop.name}"

    @property
    def total(self) -> str:
        """Name of the column that says what the row adds in all, whenever it did."""
        return f"_total_{self.prop.name}"

    @property
    def sql_type(self) -> str:
        """Type of the staging column; sums get room to grow."""
        if self.mode == "sum":
            return _WIDE[self.prop.type].format(scale=self.prop.scale)
        return self.prop.sql_type
