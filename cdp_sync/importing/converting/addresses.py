"""E-mail addresses in cells; `cdp_sync.processing.addresses` says what one is."""

from cdp_sync.importing.converting.cell import Conversion
from cdp_sync.importing.converting.text import ruin_causes
from cdp_sync.model import Format, Property
from cdp_sync.processing.addresses import address_of


def convert_email(prop: Property, cell: str, form: Format) -> Conversion:
    """Return the conversion of an e-mail address."""
    return Conversion(address_of(cell), "not an e-mail address", causes=ruin_causes(cell))
