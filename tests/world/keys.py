"""KMS: sealing with an encryption context, MACs, keys that can be switched off."""

import hmac
from dataclasses import dataclass
from hashlib import sha256

from tests.world.wire import ACCOUNT, REGION, Answer, AwsError, Parameters

LONGEST_PLAINTEXT = LONGEST_MESSAGE = 4096  # bytes


@dataclass
class Key:
    id: str
    usage: str
    state: str = "Enabled"

    @property
    def arn(self) -> str:
        return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{self.id}"


class Keys:
    """The `kms` client's side. A ciphertext is a random-looking name; what it seals stays in here."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.aliases: dict[str, str] = {}
        self._sealed: dict[bytes, tuple[Key, dict[str, str], bytes]] = {}

    def create_key(self, call: Parameters) -> Answer:
        key = Key(f"00000000-0000-4000-8000-{len(self.keys) + 1:012d}", call.get("KeyUsage", "ENCRYPT_DECRYPT"))
        self.keys[key.id] = key
        return {"KeyMetadata": {"KeyId": key.id, "Arn": key.arn, "KeyState": key.state, "KeyUsage": key.usage}}

    def create_alias(self, call: Parameters) -> Answer:
        self.aliases[call["AliasName"]] = call["TargetKeyId"]
        return {}

    def disable_key(self, call: Parameters) -> Answer:
        self._key(call["KeyId"]).state = "Disabled"
        return {}

    def enable_key(self, call: Parameters) -> Answer:
        self._key(call["KeyId"]).state = "Enabled"
        return {}

    def schedule_key_deletion(self, call: Parameters) -> Answer:
        key = self._key(call["KeyId"])
        key.state = "PendingDeletion"
        return {
            "KeyId": key.arn,
            "KeyState": key.state,
            "PendingWindowInDays": call.get("PendingWindowInDays", 30),
        }

    def encrypt(self, call: Parameters) -> Answer:
        key, plaintext = self._usable(call["KeyId"], "ENCRYPT_DECRYPT"), call["Plaintext"]
        if not 1 <= len(plaintext) <= LONGEST_PLAINTEXT:
            raise AwsError("ValidationException", "'plaintext' must have length between 1 and 4096")
        name = b""
        while len(name) < len(plaintext) + 120:
            name += sha256(f"{key.id}/{len(self._sealed)}/{len(name)}".encode()).digest()
        self._sealed[name] = (key, dict(call.get("EncryptionContext", {})), bytes(plaintext))
        return {"CiphertextBlob": name, "KeyId": key.arn, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}

    def decrypt(self, call: Parameters) -> Answer:
        sealed = self._sealed.get(bytes(call["CiphertextBlob"]))
        if sealed is None:
            raise AwsError("InvalidCiphertextException")
        key, context, plaintext = sealed
        if (named := call.get("KeyId")) and self._key(named) is not key:
            raise AwsError("IncorrectKeyException", "The key ID in the request does not identify the right key")
        self._usable(key.id, "ENCRYPT_DECRYPT")
        if context != call.get("EncryptionContext", {}):
            raise AwsError("InvalidCiphertextException")
        return {"Plaintext": plaintext, "KeyId": key.arn, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}

    def generate_mac(self, call: Parameters) -> Answer:
        key, mac = self._mac(call)
        return {"Mac": mac, "MacAlgorithm": call["MacAlgorithm"], "KeyId": key.arn}

    def verify_mac(self, call: Parameters) -> Answer:
        key, mac = self._mac(call)
        if not hmac.compare_digest(mac, call["Mac"]):
            raise AwsError("KMSInvalidMacException")
        return {"MacValid": True, "MacAlgorithm": call["MacAlgorithm"], "KeyId": key.arn}

    def _mac(self, call: Parameters) -> tuple[Key, bytes]:
        key = self._usable(call["KeyId"], "GENERATE_VERIFY_MAC")
        if call["MacAlgorithm"] != "HMAC_SHA_256":
            raise AwsError("InvalidKeyUsageException")
        if not 1 <= len(call["Message"]) <= LONGEST_MESSAGE:
            raise AwsError("ValidationException", "'message' must have length between 1 and 4096")
        return key, hmac.digest(key.id.encode(), call["Message"], "sha256")

    def _usable(self, named: str, usage: str) -> Key:
        key = self._key(named)
        if key.state == "Disabled":
            raise AwsError("DisabledException", f"{key.arn} is disabled.")
        if key.state != "Enabled":
            raise AwsError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
        if key.usage != usage:
            raise AwsError("InvalidKeyUsageException", f"{key.arn} key usage is {key.usage}")
        return key

    def _key(self, named: str) -> Key:
        named = self.aliases.get(named, named).rsplit("/", 1)[-1]
        if named not in self.keys:
            raise AwsError("NotFoundException", f"Key '{named}' does not exist")
        return self.keys[named]
