"""The statement of what was erased of a connection, and what remains of it until when."""

from datetime import datetime, timedelta
from typing import Any

from landing.domain.connection import Connection, Erasure, timestamp
from landing.stores.drop_store import Contents

TOMBSTONE_FOR = timedelta(days=60)
"""Longer than a stream (24 h), a queue (14 days) or a backup (35 days) can bring anything back."""

STREAM_FOR = timedelta(hours=24)
"""So long does a DynamoDB stream keep its records, the one of the row before it was forgotten among them."""


def receipt_of(row: Connection) -> dict[str, Any]:
    """The statement of what was erased, of a row that is past `forgotten`. No personal data; the same every time."""
    erasure, completed_at = erasure_of(row), completed_at_of(row)
    return {
        "version": 1,
        "connectionId": row.connection_id,
        "ownerRef": row.owner_ref,
        "ticket": erasure.ticket,
        "requestedAt": timestamp(erasure.requested_at),
        "completedAt": timestamp(completed_at),
        "complete": True,
        "erased": {
            "flinks": {"answer": erasure.at_flinks, "answeredAt": _when(erasure.flinks_answered_at)},
            "drops": counts_of(Contents(erasure.versions or 0, erasure.markers or 0, erasure.uploads or 0)),
            "table": {"rows": 1, "attributes": ["login", "request", "owner", "accountIds", "drop", "institution"]},
        },
        "remains": [
            {"what": "tombstone", "until": timestamp(completed_at + TOMBSTONE_FOR)},
            {"what": "table stream, with the login sealed", "until": timestamp(completed_at + STREAM_FOR)},
            {"what": "table backup, with the login sealed", "until": _when(erasure.backups_until)},
            {"what": "this receipt", "until": None},
        ],
    }


def counts_of(there: Contents) -> dict[str, int]:
    return {"versions": there.versions, "deleteMarkers": there.markers, "unfinishedUploads": there.uploads}


def erasure_of(row: Connection) -> Erasure:
    assert row.erasure is not None  # noqa: S101 - `tombstoned` sets it, and nothing removes it
    return row.erasure


def completed_at_of(row: Connection) -> datetime:
    completed_at = erasure_of(row).completed_at
    assert completed_at is not None  # noqa: S101 - callers are past `forgotten`
    return completed_at


def _when(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment else None
