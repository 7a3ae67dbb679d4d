"""What a database says becomes an error that names the cause and what to do."""

import pytest

from tasks.database.errors import meaning
from tasks.errors import ConfigError, HeadraceError, ServiceError, TransientError


@pytest.mark.parametrize(
    ("words", "kind", "told"),
    [
        ("database is locked", TransientError, "another process may be using it"),
        ("FATAL: sorry, too many clients already", TransientError, "another process"),
        ("terminating connection due to administrator command", TransientError, "ended the connection"),
        ("FATAL: the database system is starting up", TransientError, "once it is up"),
        ('FATAL:  role "nobody" does not exist', ConfigError, "check the address, the user"),
        ('FATAL: database "none" does not exist', ConfigError, "check the address"),
        ('FATAL: password authentication failed for user "x"', ConfigError, "the password"),
        ('relation "point" does not exist', ServiceError, "the database's health"),
        ("disk I/O error", ServiceError, "most likely the disk is full"),
    ],
)
def test_words_of_a_database_have_a_meaning(words: str, kind: type[HeadraceError], told: str) -> None:
    error = meaning("db", words)
    assert type(error) is kind
    assert told in str(error)
