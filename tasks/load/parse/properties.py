"""What files say of themselves beside their text: author, dates, keywords, by the same names for all formats."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import getaddresses, parsedate_to_datetime

from tasks.dates import is_date
from tasks.records import Metadata, Scalar

LONGEST = 1_000
LONGEST_HEADER = 1 << 16
MOST_ADDRESSES = 100
DATES = ("created", "modified", "date")
# By the last part of their name in lower case, as OOXML, OpenDocument and pages have them.
NAMES = {
    "creator": "author",
    "initial-creator": "author",
    "author": "author",
    "created": "created",
    "creation-date": "created",
    "date": "created",
    "published_time": "created",
    "modified": "modified",
    "modified_time": "modified",
    "subject": "subject",
    "description": "description",
    "keyword": "keywords",
    "keywords": "keywords",
}
_PDF_DATE = re.compile(r"D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:(Z)|([+-]\d\d)'?(\d\d)?)?")


def properties_of(pairs: Iterable[tuple[str, str]]) -> Metadata:
    """Those of our names that have a value; of two values of one name the first."""
    named: dict[str, str] = {}
    for name, text in pairs:
        if (ours := NAMES.get(name.lower())) and (text := " ".join(text.split())):
            named.setdefault(ours, text)
    return stated(named)


def stated(named: Mapping[str, str]) -> Metadata:
    """The texts that are short enough; a date only where it is one, keywords as a list."""
    fields: dict[str, Scalar | list[Scalar]] = {}
    for name, text in named.items():
        if not text or len(text) > LONGEST or (name in DATES and not is_date(text)):
            continue
        words = [word.strip() for word in re.split("[,;]", text) if word.strip()]
        fields[name] = [*words] if name == "keywords" else text
    return fields


def date_of_message(text: str) -> str:
    """A message's date in ISO 8601, in UTC where it names no zone; "" for none."""
    try:
        moment = parsedate_to_datetime(text)
        date = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError):
        return ""
    return date if is_date(date) else ""


def addresses_of(headers: Iterable[str]) -> list[Scalar]:
    """The addresses that a message's headers name, in lower case; of a damaged one perhaps none."""
    try:
        pairs = getaddresses([header[:LONGEST_HEADER] for header in headers])[:MOST_ADDRESSES]
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        return []
    return [address.lower() for _, address in pairs if "@" in address and address.isprintable()]


def date_of_pdf(text: str) -> str:
    """The same for a PDF's."""
    match = _PDF_DATE.match(text)
    if not match:
        return ""
    year, month, day, hour, minute, second, utc, zone, zone_minutes = match.groups()
    offset = "Z" if utc else f"{zone}:{zone_minutes or '00'}" if zone else ""
    time = f"T{hour}:{minute or '00'}:{second or '00'}{offset}" if hour else ""
    return f"{year}-{month or '01'}-{day or '01'}{time}"
