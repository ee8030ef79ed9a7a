"""Processors: what a goal does with the fields of rows, in order, before they land or leave.

Every processor is one field of `Processor`; its options are the model of that field. Validation, the editor's schema
and the documentation follow from these models, and `processing` holds one expression or statement for each.

At this place all cells are text; a cell without a value is empty. A processor may drop rows, change fields and add
fields. It never adds rows.
"""

import hashlib
import importlib.util
import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from cdp_sync.model.declared import Declared
from cdp_sync.model.format import known_dates, readable_dates
from cdp_sync.model.pattern import compile_pattern
from cdp_sync.model.schedule import TimeZone

FieldName = Annotated[str, Field(min_length=1)]
FieldNames = FieldName | Annotated[tuple[FieldName, ...], Field(min_length=1)]
"""A field, or a list of them."""

Algorithm = Literal["sha256", "sha1", "md5"]

_COUNTRY = re.compile("[A-Z]{2}")


def names_of(fields: FieldNames | None) -> tuple[str, ...]:
    """Return the fields of an option that holds one, several or none."""
    if fields is None:
        return ()
    return (fields,) if isinstance(fields, str) else fields


class Settings(Declared):
    """The options of a processor."""

    directions: ClassVar[tuple[str, ...]] = ("import", "export")
    """Where it can be declared."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The fields that have to exist."""
        return names_of(getattr(self, "field", None))

    @property
    def writes(self) -> tuple[str, ...]:
        """The fields that it changes or adds."""
        return names_of(getattr(self, "into", None) or getattr(self, "field", None))


class Casing(Settings):
    """Writes text in lower or upper case."""

    field: FieldNames
    """The field, or a list of fields."""
    to: Literal["lower", "upper", "first", "words"]
    """`lower` and `upper`: all letters; `first`: a capital first letter; `words`: so for each word."""


class CleanEmail(Settings):
    """Brings e-mail addresses to the form that imports store. What is no address stays as it is."""

    field: FieldNames
    """The field, or a list of fields."""
    correct_domains: bool = False
    """Correct frequent typing errors in domains, such as `gmial.com`."""
    domains: dict[str, FieldName] = Field(default_factory=dict)
    """Further domains to correct: the wrong one and the right one, in lower case."""


class ConvertValues(Settings):
    """Replaces values by others."""

    field: FieldNames
    """The field, or a list of fields."""
    values: Annotated[dict[str, str], Field(min_length=1)]
    """The value as it is, and the new one; `""` stands for an empty cell."""
    separator: FieldName | None = None
    """Between the values of a cell that holds several; absent: a cell is one value."""
    any_case: bool = False
    """Upper and lower case of the value as it is do not count."""
    others: Literal["keep", "clear"] = "keep"
    """What happens to other values: they stay, or they are removed."""


class Filter(Settings):
    """Keeps or drops rows by a regular expression in RE2's syntax. An empty cell is an empty text."""

    field: FieldName
    """The field that is compared."""
    keep: str | None = None
    """Rows in whose cell this expression occurs are kept; all others are dropped."""
    drop: str | None = None
    """Rows in whose cell this expression occurs are dropped."""

    @property
    def writes(self) -> tuple[str, ...]:
        """It changes no field."""
        return ()

    @field_validator("keep", "drop")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            compile_pattern(value)
        return value

    @model_validator(mode="after")
    def _one_of_both(self) -> "Filter":
        if (self.keep is None) == (self.drop is None):
            found = "none of them" if self.keep is None else "keep and drop"
            raise ValueError(f"found {found}; needed is either keep or drop")
        return self


class RemoveNulls(Settings):
    """Empties cells that hold a word for "no value"."""

    field: FieldNames | None = None
    """The field, or a list of fields; absent: all fields."""
    words: Annotated[tuple[FieldName, ...], Field(min_length=1)] = ("null",)
    """The words, in any case."""


class FirstRows(Settings):
    """Keeps the first rows of each file, and drops the others."""

    rows: Annotated[int, Field(ge=1)]
    """How many rows are kept."""


class AddValue(Settings):
    """Adds a field with the same text in every row. It replaces a field of that name."""

    field: FieldName
    """Name of the new field."""
    value: str
    """The text."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The field need not exist."""
        return ()


class AddDate(Settings):
    """Adds a field with the date of the run. It replaces a field of that name.

    The date does not make a row differ from its previous import.
    """

    field: FieldName
    """Name of the new field."""
    format: FieldName = "%Y-%m-%d"
    """strftime pattern."""
    time_zone: TimeZone = "UTC"
    """IANA time zone of the date."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The field need not exist."""
        return ()


class Concatenate(Settings):
    """Joins the cells of fields that are not empty into one field. It replaces a field of that name."""

    fields: Annotated[tuple[FieldName, ...], Field(min_length=2)]
    """The fields, in order."""
    into: FieldName
    """Name of the field with the joined text."""
    separator: str = " "
    """Between the cells."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The fields that have to exist."""
        return self.fields


class Split(Settings):
    """Splits the cell of a field into fields. The last one gets all that is left; missing parts are empty."""

    field: FieldName
    """The field that holds several values."""
    separator: FieldName
    """Between the values. White space around a value is removed."""
    into: Annotated[tuple[FieldName, ...], Field(min_length=1)]
    """Names of the fields with the parts, in order."""


class ConvertDates(Settings):
    """Writes dates in another format. What imports would not read in any of the formats stays as it is."""

    field: FieldNames
    """The field, or a list of fields."""
    formats: Annotated[
        tuple[FieldName, ...],
        Field(alias="from", min_length=1),
        AfterValidator(known_dates),
        AfterValidator(readable_dates),
    ]
    """strptime patterns tried in order, or `iso`, `epoch_seconds`, `epoch_milliseconds`."""
    to: FieldName = "%Y-%m-%d"
    """strftime pattern of the result: the date and the time as they are written, without their offset."""
    century_pivot: Annotated[int, Field(ge=0, le=99)] = 68
    """Two-digit years (`%y`) up to this one are in the 2000s, others in the 1900s."""
    time_zone: TimeZone = "UTC"
    """IANA time zone in which counts since 1970 are written."""

    @field_validator("to")
    @classmethod
    def _has_no_offset(cls, value: str) -> str:
        if "%z" in value.replace("%%", ""):
            raise ValueError(
                "found %z; the offset of a cell is not kept. Leave it out, or let the import read the cell"
            )
        return readable_dates((value,))[0]


class CleanPhone(Settings):
    """Writes telephone numbers in E.164, such as +31201234567. What is no possible number of its country stays."""

    field: FieldNames
    """The field, or a list of fields."""
    country: str | None = None
    """Country of numbers without a country code: two letters of ISO 3166, such as NL."""
    country_field: FieldName | None = None
    """Field with the row's country, as two letters; `country` counts where it is empty."""
    invalid: Literal["keep", "clear"] = "keep"
    """What happens to a cell that is no telephone number: it stays, or it is emptied."""

    @field_validator("country")
    @classmethod
    def _two_letters(cls, value: str | None) -> str | None:
        if value is not None and not _COUNTRY.fullmatch(value):
            raise ValueError(f"found {value!r}; needed are two capital letters of ISO 3166, such as NL")
        return value

    @property
    def reads(self) -> tuple[str, ...]:
        """The fields that have to exist."""
        return (*names_of(self.field), *names_of(self.country_field))


class CleanName(Settings):
    """Normalizes people's names: single spaces, and capitals where a name is written in one case alone."""

    field: FieldNames
    """The field, or a list of fields."""


class DropDuplicates(Settings):
    """Keeps one of the rows of a file that have the same cells. Rows without a value in the fields are kept."""

    field: FieldNames | None = None
    """The field, or a list of fields, that is compared; absent: all fields."""
    keep: Literal["first", "last"] = "first"
    """Which of the rows stays."""

    @property
    def writes(self) -> tuple[str, ...]:
        """It changes no field."""
        return ()


class Hash(Settings):
    """Replaces cells by their digest in hexadecimal digits, as advertising platforms ask for it."""

    field: FieldNames
    """The field, or a list of fields."""
    algorithm: Algorithm = "sha256"
    """`sha256`, `sha1` or `md5`."""
    normalize: bool = True
    """Remove white space around the text and write it in lower case first."""


class Pseudonymize(Settings):
    """Replaces personal values by pseudonyms: the same value gets the same one.

    A pseudonym is the keyed digest HMAC-SHA256 of the value, trimmed and in lower case.
    """

    directions = ("export",)

    field: FieldNames | None = None
    """The field, or a list of fields; absent: every cell that is an e-mail address or a telephone number."""
    key_env: FieldName
    """Environment variable with the secret key."""


class Python(Settings):
    """Calls a function of your own with pieces of the rows."""

    function: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")]
    """`package.module:function`. It gets a DataFrame of at most 50,000 rows, and returns one."""
    fields: tuple[FieldName, ...] = ()
    """The columns that it gets; absent: all of them."""
    adds: tuple[FieldName, ...] = ()
    """Columns that it adds."""
    deadline_seconds: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    """How long one call may take."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The fields that have to exist."""
        return self.fields

    @property
    def writes(self) -> tuple[str, ...]:
        """The fields that it is known to change or add."""
        return (*self.fields, *self.adds)

    @property
    def module(self) -> str:
        """The module of the function."""
        return self.function.partition(":")[0]

    @property
    def source(self) -> str:
        """The digest of the module's source text; empty where it is not found."""
        try:
            spec = importlib.util.find_spec(self.module)
            text = spec and spec.origin and importlib.util.decode_source(Path(spec.origin).read_bytes())
        except (ImportError, OSError, ValueError):
            return ""
        return hashlib.sha256(text.encode()).hexdigest() if text else ""


def _function(given: object) -> object:
    """Take a lone text for the function."""
    return {"function": given} if isinstance(given, str) else given


class Processor(Declared):
    """One processor: its name, and its options."""

    casing: Casing | None = None
    """Writes text in lower or upper case."""
    clean_email: CleanEmail | None = None
    """Brings e-mail addresses to the form that imports store, and corrects frequent typing errors in domains."""
    convert_values: ConvertValues | None = None
    """Replaces values by others."""
    filter: Filter | None = None
    """Keeps or drops rows by a regular expression."""
    remove_nulls: RemoveNulls | None = None
    """Empties cells that hold a word for "no value"."""
    first_rows: FirstRows | None = None
    """Keeps the first rows of each file."""
    add_value: AddValue | None = None
    """Adds a field with the same text in every row."""
    add_date: AddDate | None = None
    """Adds a field with the date of the run."""
    concatenate: Concatenate | None = None
    """Joins fields into one."""
    split: Split | None = None
    """Splits a field into several."""
    convert_dates: ConvertDates | None = None
    """Writes dates in another format."""
    clean_phone: CleanPhone | None = None
    """Writes telephone numbers in E.164."""
    clean_name: CleanName | None = None
    """Normalizes people's names."""
    drop_duplicates: DropDuplicates | None = None
    """Keeps one of several rows with the same cells."""
    hash: Hash | None = None
    """Replaces cells by their digest."""
    pseudonymize: Pseudonymize | None = None
    """Replaces personal values by pseudonyms, in exports."""
    python: Annotated[Python | None, BeforeValidator(_function, json_schema_input_type=str | Python)] = None
    """Calls a function of your own: `package.module:function`, or the function with options."""

    @model_validator(mode="after")
    def _is_one(self) -> "Processor":
        found = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(found) != 1:
            names = ", ".join(type(self).model_fields)
            raise ValueError(f"found {' and '.join(found) or 'no processor'}; needed is exactly one of {names}")
        return self

    @property
    def name(self) -> str:
        """Which processor it is."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def settings(self) -> Settings:
        """Its options."""
        settings: Settings = getattr(self, self.name)
        return settings
