"""The certificate authorities that every TLS connection out trusts, read once for all of them."""

import ssl
from functools import cache

import certifi


@cache
def context(authorities: str | None = None) -> ssl.SSLContext:
    """Certificates and host names are checked. Threads may share it. `authorities` is a PEM file; certifi's if None.

    Reading the file takes 20 to 30 ms of CPU; botocore and requests do it anew for each connection they open.
    """
    return ssl.create_default_context(cafile=authorities or certifi.where())
