"""How many Connect sessions an owner has asked for in this hour: a table of counters, which go by themselves."""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HOUR = timedelta(hours=1)


class TooManySessions(Exception):
    """The owner has had as many as an hour allows; `wait` is what is left of it."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__("too many sessions")
        self.wait = wait


class SessionCount:
    """Counts what is asked for, not what is opened: it is the asking that costs a call of Flinks."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str, an_hour: int) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._an_hour = an_hour

    def take_one(self, owner: str, now: datetime) -> None:
        """Count one more. Raises TooManySessions, and one of `NOT_SERVED` when DynamoDB cannot serve."""
        began = now.replace(minute=0, second=0, microsecond=0)
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"ownerHash": {"S": _hash(owner)}, "hour": {"S": began.isoformat()}},
                UpdateExpression="SET expiresAt = :ends ADD asked :one",
                ConditionExpression="attribute_not_exists(asked) OR asked < :most",
                ExpressionAttributeValues={
                    ":ends": {"N": str(int((began + HOUR).timestamp()))},
                    ":one": {"N": "1"},
                    ":most": {"N": str(self._an_hour)},
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise TooManySessions(began + HOUR - now) from None
            raise


def _hash(owner: str) -> str:
    """A counter needs to tell owners apart, not to name them."""
    return sha256(owner.encode()).hexdigest()
