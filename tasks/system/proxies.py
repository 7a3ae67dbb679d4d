"""The proxies that the environment names, for clients that go through them."""

from collections.abc import Generator
from contextlib import contextmanager

from tasks.errors import ConfigError

VARIABLES = "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY"


def by_way_of() -> str:
    """What to add where a server cannot be reached; empty where no proxy is named."""
    is_named = any(_proxies().get(kind) for kind in ("http", "https", "all"))
    return f"; {VARIABLES} in the environment names a proxy, and NO_PROXY the hosts to ask without it" * is_named


@contextmanager
def through_proxies() -> Generator[None]:
    """Where a client of httpx is made: ConfigError for a proxy that it cannot use, without the proxy's password."""
    try:
        yield
    except ImportError as error:
        if error.name or "SOCKS" not in str(error):  # a package that is missing is somebody else's to tell
            raise
        raise ConfigError(
            f"a SOCKS proxy ({VARIABLES} in the environment) needs a package: pip install socksio; or set"
            " NO_PROXY to the host that is to be reached without it"
        ) from None
    except Exception as error:
        if type(error).__name__ not in ("InvalidURL", "ValueError") or not _proxies():
            raise
        raise ConfigError(
            f"what {VARIABLES} in the environment says is no address of a proxy; expected one such as"
            " http://host:3128, a password's special signs written as %40 and the like"
        ) from None


def _proxies() -> dict[str, str]:
    from urllib.request import getproxies  # a run without changes has no use for it

    return getproxies()
