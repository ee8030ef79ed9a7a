"""The table that is polluted: 83 rows of dates, times, numbers, texts, links and empty cells in nine columns."""

from itertools import cycle, islice

COLUMNS = ("Day", "Time", "Units", "Article", "Price", "Title", "Description", "Link", "Remark")
ARTICLE = COLUMNS.index("Article")

Cells = tuple[str, ...]

ROWS = 83

_TITLES = (
    "Folding bench",
    "Lantern, small",
    "Children's bucket",
    'Shelf board, 24" deep',
    "Watering can",
    'Rope 3/8"',
    "Tea towel, linen, striped",
)
_DESCRIPTIONS = (
    "Oak from the region, oiled twice, with screws and a key.",
    "A light for the terrace. It burns for six hours, and is filled again within a minute.",
    "Holds ten litres.",
    'What we call "the long one": five metres, cut to measure, no returns.',
    "Washed before it is sewn, so that it keeps its size, its colour and its shape.",
    "First rinse it.\nThen let it dry, out of the sun.",
    "",
    "Two sizes, three colours, one price; delivered on Tuesdays, Thursdays and, in summer, on Saturdays as well.",
)


def table(number: int, *, rows: int = ROWS, remark: str = "") -> list[Cells]:
    """Return the rows of a file's table.

    Args:
        number: The file's number, which is part of its articles, so that no two files share one.
        rows: The number of rows.
        remark: The text of the last column; empty by default.
    """
    texts = zip(cycle(_TITLES), cycle(_DESCRIPTIONS), strict=False)
    return [_row(number, place, *text, remark) for place, text in enumerate(islice(texts, rows), start=1)]


def _row(number: int, place: int, title: str, description: str, remark: str) -> Cells:
    article = f"{article_prefix(number)}{place}"
    day = f"{1 + place % 28:02d}.{1 + place % 12:02d}.2019"
    time = f"{place // 4 % 24:02d}:{place % 4 * 15:02d}"
    price = f"€{7 + place * 37 % 90}.{place * 13 % 100:02d}"
    link = f"https://shop.example.com/garden/{article}.html?size={place}"
    return day, time, str(place % 5), article, price, title, description, link, remark


def article_prefix(number: int) -> str:
    """Return the prefix of a file's articles."""
    return f"G{number:05d}-"
