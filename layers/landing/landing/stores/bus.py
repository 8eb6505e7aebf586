"""The bus of announcements."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import batched
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from landing.domain.announcements import Announcement
from landing.error_names import NOT_SERVED, name_of

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

SOURCE = "flinks-landing"
LARGEST_PUT = 10
_TRIES = 3

# What EventBridge says of an entry that no repetition makes good. AccessDenied is not among them: that is a grant
# of ours, and what waits for it must not be given up.
PERMANENT = frozenset(
    {
        "InvalidAccountIdException",
        "InvalidArgument",
        "MalformedDetail",
        "NotAuthorizedForDetailTypeException",
        "NotAuthorizedForSourceException",
        "RedactionFailure",
        "ValidationException",
    }
)


class Bus:
    """EventBridge in the words of an announcement."""

    def __init__(self, events: "EventBridgeClient", name: str) -> None:
        self._events = events
        self._name = name

    def put(self, announcements: Iterable[Announcement]) -> list[str | None]:
        """Put them in this order; gives for each the code with which it was refused at last, None if it was taken."""
        return [code for batch in batched(announcements, LARGEST_PUT, strict=False) for code in self._put(batch)]

    def _put(self, batch: Sequence[Announcement]) -> Iterator[str | None]:
        codes: dict[Announcement, str | None] = dict.fromkeys(batch, "NotTried")
        for _ in range(_TRIES):
            again = [announcement for announcement, code in codes.items() if code is not None and code not in PERMANENT]
            if again:
                codes |= zip(again, self._try(again), strict=True)
        return (codes[announcement] for announcement in batch)

    def _try(self, batch: list[Announcement]) -> list[str | None]:
        try:
            answer = self._events.put_events(Entries=[self._entry(announcement) for announcement in batch])
        except NOT_SERVED as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else name_of(error)
            if code == "ValidationException" and len(batch) > 1:  # one of them is at fault: find out which
                return [code for announcement in batch for code in self._try([announcement])]
            return [code] * len(batch)
        return [result.get("ErrorCode") for result in answer["Entries"]]

    def _entry(self, announcement: Announcement) -> "PutEventsRequestEntryTypeDef":
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": announcement.detail_type,
            "Detail": announcement.model_dump_json(by_alias=True),
        }
