"""What a PostgreSQL server, its driver and the network say, and what it means to the user."""

from tasks.database.errors import meaning
from tasks.errors import ConfigError, HeadraceError, ServiceError, TransientError

Meaning = tuple[type[HeadraceError], str]

ENCODING = "the database cannot hold every character; make one with ENCODING 'UTF8'"
_FULL = (TransientError, "the server has no connection left for this user; close others, or raise its limit")
_AWAY = (TransientError, "the server is away, or ended the connection: once it is up, run again")
_USER = (ConfigError, "check the address, the user and the password in the URL")
_HOST = (ConfigError, "check the host in the URL")
_SETTING = (ConfigError, "check the settings behind the ? in the URL")
# By the beginning of the SQLSTATE, which is the same in every language of the server.
_BY_STATE: dict[str, Meaning] = {
    "25006": (ServiceError, "the server takes no writes for this user; is it a replica?"),
    "25P": (TransientError, "a time limit of the server ended the transaction: run again"),
    "42501": (ServiceError, "this user may not do that; grant it, or use the user who owns the tables"),
    "42P01": (
        ServiceError,
        "it was dropped, or this user may not use its schema: the owner grants that, tables included",
    ),
    "53300": _FULL,
    "53100": (
        ServiceError,
        "the server's disk is full, or its shared memory, of which a container gets more by `--shm-size=1g`; make room"
        " and run again: no acknowledged record is lost",
    ),
    "53": (ServiceError, "the server is short of memory; give it more, or run again later"),
    "54": (ServiceError, "that is more than PostgreSQL takes; smaller chunks may help"),
    "57014": (TransientError, "a time limit of the server; raise statement_timeout for this user"),
    "57P": (TransientError, "the server ended the connection: once it is up, run again"),
    "55P03": (TransientError, "another process has the table locked: run again"),
    "40": (TransientError, "another process wrote the same records: run again"),
    "08": (TransientError, "the connection was lost: run again"),
    "22P05": (ServiceError, ENCODING),
    "22021": (ServiceError, ENCODING),
    "28": _USER,
    "3D": _USER,
}
# Before there is a session there is no SQLSTATE. The first that fits; `FATAL` and what follows may be in any language.
_BY_WORDS: tuple[tuple[str, Meaning], ...] = (
    ("too many", _FULL),
    ("connection slots", _FULL),
    ("no more connections", _FULL),
    ("the database system is", _AWAY),
    ("try again later", _AWAY),
    ("terminating connection", _AWAY),
    ("connection is lost", _AWAY),
    ("Connection refused", (TransientError, "is the server up, and the port right? Then run again, once it is up")),
    ("timeout expired", (TransientError, "is the server up, and does a firewall let this machine through?")),
    ("No route to host", (TransientError, "is the server up, and does a firewall let this machine through?")),
    ("unreachable", (TransientError, "is the network up, and the host in the URL right?")),
    ("on that socket", (TransientError, "is the server up, and does its socket lie there?")),
    ("Servname not supported", (ConfigError, "check the port in the URL")),
    ("Name or service not known", _HOST),
    ("No address associated", _HOST),
    ("resolve host", (TransientError, "check the host in the URL, and the network")),
    ("translate host", (TransientError, "check the host in the URL, and the network")),
    ("invalid port", (ConfigError, "check the port in the URL")),
    (
        "pg_hba.conf",
        (
            ConfigError,
            "the server admits no such connection: check the user, the database and sslmode in the"
            " URL, or add a line to its pg_hba.conf",
        ),
    ),
    (
        "does not support SSL",
        (
            ConfigError,
            "check sslmode in the URL: the server has no TLS; switch it on there, or name"
            " sslmode=disable where the network is to be trusted",
        ),
    ),
    ("certificate", (ConfigError, "check sslmode and sslrootcert in the URL, and whom the server's certificate names")),
    ("private key", (ConfigError, "check sslkey in the URL, and who may read that file")),
    ("sslmode", (ConfigError, "check sslmode in the URL: disable, prefer, require, verify-ca or verify-full")),
    ("expected authentication request", (ConfigError, "no PostgreSQL server answers there; check host and port")),
    ("SSL negotiation", (ConfigError, "no PostgreSQL server answers there; check host and port")),
    (
        "SSL error",
        (ConfigError, "server and client agree on no TLS; check sslmode and the versions of TLS on both sides"),
    ),
    ("session is", (ConfigError, "check target_session_attrs in the URL: is this a replica, or the primary?")),
    ("standby mode", (ConfigError, "check target_session_attrs in the URL: is this a replica, or the primary?")),
    ("permission denied for database", (ConfigError, "a superuser lets this user in with: GRANT CONNECT ON DATABASE")),
    ("not currently accepting", (ConfigError, "the database is closed to all; name another one in the URL")),
    ("authentication method", _SETTING),
    ("no password supplied", _USER),
    ("authentication failed", _USER),
    ("not permitted to log in", (ConfigError, "a superuser lets this user in with: ALTER ROLE … LOGIN")),
    ("does not exist", _USER),
    ("no such", _USER),
    ("configuration parameter", _SETTING),
    ("invalid", _SETTING),
    ("bad value", _SETTING),
    ("connection is bad:", _SETTING),
    (
        "FATAL",
        (ConfigError, "the server refuses the connection; check user, password and database in the URL, and its log"),
    ),
)


def server_meaning(name: str, words: str, state: str | None, *, is_cut: bool = False) -> HeadraceError:
    """Our error for one of the server, by its SQLSTATE, else by its words; `is_cut`: the connection is no more.

    `name` is the database without its password.
    """
    text = " ".join(words.split())
    by_state = [meant for known, meant in _BY_STATE.items() if state and state.startswith(known)]
    by_words = [meant for known, meant in _BY_WORDS if not state and known in text]
    for kind, remedy in (*by_state, *by_words):
        return kind(f"{name}: {text}; {remedy}")
    return _AWAY[0](f"{name}: {text}; {_AWAY[1]}") if is_cut else meaning(name, text)
