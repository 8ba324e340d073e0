"""Connections to AWS that know whom to trust before airboss's loop makes them.

Reading the authorities' certificates takes tens of milliseconds. AWS's library does it for each client, on
the loop; here they are read once, where the client is made: in a thread.
"""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def trusting(verify: bool | str | None) -> Any:
    """An SSL context with the authorities that AWS's library would take: its own, or those of a file."""
    from botocore.httpsession import create_urllib3_context, get_cert_path

    context: Any = create_urllib3_context()
    if authorities := get_cert_path(verify):
        context.load_verify_locations(authorities, None, None)
    # The library turns this off for urllib3, which looks at the name itself. aiohttp does not.
    context.check_hostname = True
    return context


@cache
def session_class() -> Any:
    """What a client's connections come from; AWS's library is imported here."""
    import aiohttp
    from aiobotocore.httpsession import AIOHTTPSession

    class Session(AIOHTTPSession):  # type: ignore[misc, unused-ignore]
        """The library's, with certificates that have been read."""

        def __init__(self, *args: Any, **given: Any) -> None:
            super().__init__(*args, **given)
            # A proxy, or a certificate of the client's, is the library's own matter.
            self._trusting = trusting(self._verify) if self._verify and not self._cert_file else None

        def _create_connector(self, proxy_url: str | None) -> Any:
            if proxy_url or self._trusting is None:
                return super()._create_connector(proxy_url)
            return aiohttp.TCPConnector(
                limit=self._max_pool_connections, ssl=self._trusting, **self._connector_args
            )

    return Session
