"""Titles that say something: most programs write one, and many write nonsense."""

import re
import statistics
from collections.abc import Sequence

from tasks.load.parse.pages.paragraphs import Entry

_NONSENSE = re.compile(
    r"(?:untitled|unnamed|unspecified|unknown|no title|title|document|dokument|presentation|powerpoint[- ]pr\w+"
    r"|slide|folie|layout|print|scan|page|doc|new)?[-_ #]*\d*"
    r"|(?:microsoft|libreoffice|openoffice)\b.*|about:blank|https?://\S*|[\w-]*[\\/].*[\\/].*|[0-9a-f-]{16,}"
    r"|.*\.(?:docx?|odt|rtf|pptx?|odp|xlsx?|ods|indd?|qxd|pmd|fm|cdr|ai|eps|ps|tex|dvi|pdf|html?|txt|wpd|pub|vsdx?|dwg)",
    re.IGNORECASE,
)
_LARGER = 1.2
_LONGEST, _FEWEST = 150, 6
_WORDS = re.compile(r"[^\W\d_]{3,}")


def title_of(stated: str, name: str, page: Sequence[Entry]) -> str:
    """The title that a file states, if it is one; else what the first page has in far larger letters than all else."""
    title = " ".join(stated.split())
    stem = name.rpartition("/")[2].rpartition(".")[0]
    if title and title.casefold() != stem.casefold() and not _NONSENSE.fullmatch(title):
        return title
    return _largest(page)


def _largest(page: Sequence[Entry]) -> str:
    lines = [entry for entry in page if entry.size > 0 and any(map(str.isalpha, entry.text)) and not entry.is_row]
    if len(lines) < 2:
        return ""
    size = max(entry.size for entry in lines)
    large = [at for at, entry in enumerate(lines) if entry.size > 0.95 * size]
    rest = [entry.size for at, entry in enumerate(lines) if at not in large]
    if not rest or size < _LARGER * max(rest) or large != list(range(large[0], large[-1] + 1)):
        return ""
    title = " ".join(" ".join(lines[at].text.split()) for at in large)
    is_title = len(title) <= _LONGEST and sum(map(str.isalpha, title)) >= _FEWEST and _WORDS.search(title)
    return (
        title if is_title and lines[large[0]].box.bottom > statistics.median(line.box.bottom for line in lines) else ""
    )
