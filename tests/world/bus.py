"""EventBridge and Secrets Manager: a bus that keeps what it was told, and secrets with versions."""

from dataclasses import dataclass, field
from json import loads
from typing import Any

from tests.world.clock import VirtualClock
from tests.world.wire import ACCOUNT, REGION, Answer, AwsError, Parameters

LARGEST_PUT = 10  # events


class Buses:
    """The `events` client's side: `events` keeps the accepted entries, oldest first."""

    def __init__(self, entry_fault: Any) -> None:
        self.entry_fault = entry_fault
        self.names = {"default"}
        self.events: list[dict[str, Any]] = []

    def create_event_bus(self, call: Parameters) -> Answer:
        self.names.add(call["Name"])
        return {"EventBusArn": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{call['Name']}"}

    def put_events(self, call: Parameters) -> Answer:
        if not 1 <= len(call["Entries"]) <= LARGEST_PUT:
            raise AwsError("ValidationException", "'entries' must have length between 1 and 10")
        results = [self._put(dict(entry)) for entry in call["Entries"]]
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    def _put(self, entry: dict[str, Any]) -> Answer:
        if code := self.entry_fault("events", "put_events"):
            return {"ErrorCode": code, "ErrorMessage": code}
        try:
            detail = loads(entry["Detail"])
        except ValueError:
            detail = None
        if not isinstance(detail, dict):
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        self.events.append(entry)
        return {"EventId": f"00000000-0000-4000-8000-{len(self.events):012d}"}


@dataclass
class Secret:
    name: str
    versions: dict[str, str] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)  # AWSCURRENT, AWSPREVIOUS: version id


class Secrets:
    """The `secretsmanager` client's side."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.secrets: dict[str, Secret] = {}

    def create_secret(self, call: Parameters) -> Answer:
        self.secrets[call["Name"]] = Secret(call["Name"])
        return self._put(self.secrets[call["Name"]], call["SecretString"])

    def put_secret_value(self, call: Parameters) -> Answer:
        return self._put(self._secret(call), call["SecretString"])

    def get_secret_value(self, call: Parameters) -> Answer:
        secret, stage = self._secret(call), call.get("VersionStage", "AWSCURRENT")
        version = call.get("VersionId") or secret.stages.get(stage)
        if version not in secret.versions:
            raise AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret value")
        return {
            "Name": secret.name,
            "ARN": self._arn(secret),
            "VersionId": version,
            "VersionStages": [name for name, held in secret.stages.items() if held == version],
            "SecretString": secret.versions[version],
            "CreatedDate": self.clock.now(),
        }

    def _put(self, secret: Secret, value: str) -> Answer:
        version = f"00000000-0000-4000-8000-{len(secret.versions) + 1:012d}"
        secret.versions[version] = value
        if current := secret.stages.get("AWSCURRENT"):
            secret.stages["AWSPREVIOUS"] = current
        secret.stages["AWSCURRENT"] = version
        return {"Name": secret.name, "ARN": self._arn(secret), "VersionId": version}

    def _secret(self, call: Parameters) -> Secret:
        for secret in self.secrets.values():
            if call["SecretId"] in {secret.name, self._arn(secret)}:
                return secret
        raise AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")

    @staticmethod
    def _arn(secret: Secret) -> str:
        return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{secret.name}-aBcDeF"
