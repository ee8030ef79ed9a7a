"""How the values of users, events and catalogs are read."""

from cdp_sync.model.format import Dates, ReadCells


class ValueFormat(ReadCells):
    """How values are read."""

    dates: Dates = ("%Y-%m-%d %H:%M:%S %z", "iso")
    """strptime patterns tried in order, or `iso`, `epoch_seconds`, `epoch_milliseconds`; UTC without an offset."""
    json_lists: bool = True
    """Values of `multiple` properties are arrays."""
    nulls: tuple[str, ...] = ("",)
    """Values that mean "no value", besides null and an absent field."""
