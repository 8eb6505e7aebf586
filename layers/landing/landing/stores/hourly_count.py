"""How often somebody has asked for something in this hour of the clock: a table of counters, which go by themselves."""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HOUR = timedelta(hours=1)


class TooMany(Exception):
    """There were as many as an hour allows; `wait` is what is left of it."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__("too many")
        self.wait = wait


class HourlyCount:
    """Counts what is asked for, not what comes of it: it is the asking that costs a call of Flinks."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str, of: str, an_hour: int) -> None:
        """`of` says what is counted: counts of two things never mix."""
        self._dynamodb = dynamodb
        self._table = table
        self._of = of
        self._an_hour = an_hour

    def take_one(self, whose: str, now: datetime) -> None:
        """Count one more. Raises TooMany, and one of `NOT_SERVED` when DynamoDB cannot serve."""
        began = now.replace(minute=0, second=0, microsecond=0)
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"ownerHash": {"S": self._hash(whose)}, "hour": {"S": began.isoformat()}},
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
                raise TooMany(began + HOUR - now) from None
            raise

    def _hash(self, whose: str) -> str:
        """A counter needs to tell people apart, not to name them."""
        return sha256(f"{self._of}\0{whose}".encode()).hexdigest()


class FetchCount:
    """How often POSTs have made Flinks be asked: for one connection, and for all of an owner's."""

    def __init__(self, of_connection: HourlyCount, of_owner: HourlyCount) -> None:
        self._of_connection = of_connection
        self._of_owner = of_owner

    def take_first(self, owner: str, now: datetime) -> None:
        """A new connection. Raises as `HourlyCount.take_one`."""
        self._of_owner.take_one(owner, now)

    def take_another(self, connection_id: str, owner: str, now: datetime) -> None:
        """One that was there is to be fetched anew. Raises as `HourlyCount.take_one`."""
        self._of_connection.take_one(connection_id, now)
        self._of_owner.take_one(owner, now)
