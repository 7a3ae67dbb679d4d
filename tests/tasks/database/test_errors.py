"""What a database says becomes an error that names the cause and what to do."""

import pytest

from tasks.database.errors import meaning
from tasks.errors import HeadraceError, ServiceError, TransientError


@pytest.mark.parametrize(
    ("words", "kind", "told"),
    [
        ("database is locked", TransientError, "another process may be using it"),
        ("no such table: point", ServiceError, "the database's health"),
        ("file is not a database", ServiceError, "move it away and run sync"),
        ("database disk image is malformed", ServiceError, "move it away and run sync"),
        ("disk I/O error", ServiceError, "most likely the disk is full"),
    ],
)
def test_words_of_a_database_have_a_meaning(words: str, kind: type[HeadraceError], told: str) -> None:
    error = meaning("db", words)
    assert type(error) is kind
    assert told in str(error)
