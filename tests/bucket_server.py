"""moto's S3 on loopback, with one bucket; the environment leads Lance there while it runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def bucket() -> Iterator[str]:
    """The address of a folder in an empty bucket, for this process and its children."""
    import httpx
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    before = dict(os.environ)
    os.environ.update(ENVIRONMENT, AWS_ENDPOINT_URL=url)
    try:
        httpx.put(f"{url}/trial").raise_for_status()
        yield "s3://trial/lance"
    finally:
        os.environ.clear()
        os.environ.update(before)
        server.stop()
