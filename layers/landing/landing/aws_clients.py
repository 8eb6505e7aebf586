"""Clients of AWS that start quickly: they share one trust store, and look for no service that we do not call."""

from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.httpsession import URLLib3Session
from botocore.session import Session, get_session

from landing import trust_store

if TYPE_CHECKING:
    from botocore.config import Config

SERVICES = ("dynamodb", "events", "kms", "s3", "secretsmanager", "sqs")


def client(service: str, config: "Config") -> Any:
    """As `boto3.client`, which is the same call behind an import of resources and transfers that nobody here uses."""
    made: Any = _session().create_client(service, config=config)
    http: Any = made._endpoint.http_session  # noqa: SLF001 - botocore lets nobody choose it
    http.__class__ = _OneTrustStore
    http.trust_at_once()
    return made


class _OneTrustStore(URLLib3Session):
    """botocore's own, less the reading of all authorities for each connection."""

    _manager: Any
    _verify: Any

    def trust_at_once(self) -> None:
        self._manager.connection_pool_kw["ssl_context"] = self._get_ssl_context()

    def _get_ssl_context(self) -> Any:
        return trust_store.context(self._verify if isinstance(self._verify, str) else None)

    def _setup_ssl_cert(self, conn: Any, url: str, verify: Any) -> None:
        super()._setup_ssl_cert(conn, url, verify)  # type: ignore[misc]  # not in the stubs
        conn.ca_certs = None


@cache
def _session() -> Session:
    session = get_session()
    # botocore lists the folders of all 400 services to learn that those few exist.
    loader: Any = session.get_component("data_loader")
    loader.list_available_services = lambda type_name: SERVICES  # noqa: ARG005 - botocore's name for it
    return session


def reset() -> None:
    """Forget the session, as a new execution environment would."""
    _session.cache_clear()
