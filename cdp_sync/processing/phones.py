"""Telephone numbers in E.164, by Google's metadata of all countries. Each distinct number is read once."""

from collections.abc import Iterator

from cdp_sync.model.processor import CleanPhone, names_of
from cdp_sync.processing.relation import Relation
from cdp_sync.warehouse import Session

_AT_A_TIME = 10_000


def clean_phones(session: Session, relation: Relation, settings: CleanPhone, _place: int) -> None:
    """Write the telephone numbers of a table in E.164, in place."""
    for name in names_of(settings.field):
        _clean(session, relation, relation.cells[name], settings)


def _clean(session: Session, relation: Relation, cell: str, settings: CleanPhone) -> None:
    country = relation.cells[settings.country_field] if settings.country_field else "null"
    distinct = session.rows(
        f"""select distinct {cell}, nullif(upper(trim({country}::varchar)), '')
        from {relation.source} where kept and {cell} <> ''"""
    )
    session.execute("create or replace temp table phone_number (cell text, country text, written text)")
    for start in range(0, len(distinct), _AT_A_TIME):
        cleaned = list(_cleaned(distinct[start : start + _AT_A_TIME], settings))
        columns = [list(column) for column in zip(*cleaned, strict=True)] or [[], [], []]
        session.execute(
            "insert into phone_number select unnest(?::text[]), unnest(?::text[]), unnest(?::text[])", columns
        )
    session.execute(
        f"""update {relation.source} as processed set {cell} = phone_number.written
        from phone_number
        where processed.kept and processed.{cell} = phone_number.cell
            and nullif(upper(trim({country}::varchar)), '') is not distinct from phone_number.country
            and phone_number.written is distinct from phone_number.cell"""
    )
    session.execute("drop table phone_number")


def _cleaned(
    distinct: list[tuple[str, str | None]], settings: CleanPhone
) -> Iterator[tuple[str, str | None, str | None]]:
    for cell, country in distinct:
        number = e164(cell, country or settings.country)
        yield cell, country, number or (cell if settings.invalid == "keep" else None)


def e164(text: str, country: str | None) -> str | None:
    """Return a telephone number as E.164 writes it, None where it is no possible number.

    >>> e164("020 123 4567", "NL"), e164("0031 20 1234567", "NL"), e164("12", "NL")
    ('+31201234567', '+31201234567', None)
    """
    import phonenumbers  # its metadata takes long to load

    text = text.strip()
    if text.startswith("00"):  # how most countries dial another one, also where the number's own country is not known
        text = f"+{text[2:]}"
    try:
        number = phonenumbers.parse(text, country if country in phonenumbers.SUPPORTED_REGIONS else None)
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
