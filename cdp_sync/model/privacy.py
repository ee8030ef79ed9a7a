"""Objectives, zones of privacy legislation, and consent."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from cdp_sync.model.declared import NAME_PATTERN, Declared

Zone = Literal[
    "NONE", "GDPR", "UK_GDPR", "PIPEDA", "CCPA", "SB220", "NYPA", "PERU_DPL", "ARGENTINA_DPL", "SB1392", "SB190",
    "BRAZIL_LGPD", "ISRAEL_PPL", "JAPAN_APPI", "NEW_ZEALAND_PRIVACY_ACT", "SWITZERLAND_DPA", "CHINA_PIPL",
    "AUSTRALIA_PRIVACY_ACT", "CDPA_CTCPDA", "UCPA", "MEXICO_LFPDPPP", "TDPSA", "MTCDPA", "FDBR", "OCPA", "DPDPA",
    "ICDPA", "NHPA", "NJDPA", "NEDPA", "HAITI_APD", "JAMAICA_DPA", "TRINIDAD_TOBAGO_DPA", "COSTA_RICA_L8968",
    "GUATEMALA_LAIP", "PANAMA_L81", "HONDURAS_LPDCP", "EL_SALVADOR", "COLOMBIA_L1581_D1377", "NICARAGUA_L787",
    "CHILE_L19_628", "BELIZE_DPA", "TENNESSEE_TIPA", "INDIANA_INCDPA", "KENTUCKY_KCDPA", "MINNESOTA_MCDPA",
    "MARYLAND_MODPA", "RHODE_ISLAND_RIDTPPA", "SOUTH_KOREA_PIPA",
]  # fmt: skip
"""Zones of privacy legislation, by BlueConic's identifiers; NONE is the rest of the world."""

ZONES: tuple[str, ...] = get_args(Zone)

Consent = Literal["opt_in", "opt_out"]
"""`opt_in`: data is processed only with consent. `opt_out`: data is processed unless consent is refused."""

ConsentState = Literal["consented", "consented_or_unneeded", "refused", "unknown", "refused_or_unknown"]

CONSENT_PROPERTIES = ("privacy_legislation", "consented_objectives", "refused_objectives")
"""Columns of the profile where objectives are declared."""


class Objective(Declared):
    """A purpose of processing that a person consents to or refuses."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    """Identifier; the value in `consented_objectives` and `refused_objectives`."""
    title: str | None = None
    """What people call it."""
    zones: tuple[Zone, ...] = ()
    """Zones where it needs consent; it needs none elsewhere."""
