"""Brings the whole service up on this machine, and takes it down: the emulator, Flinks' simulator, the deployment."""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config

from local.aws import deployment
from local.issuer import AUDIENCE, Issuer
from local.process import Child

ROOT = Path(__file__).resolve().parents[1]
LOCAL_POLL_SECONDS = 2
"""Flinks asks for 10; our own simulator does not mind."""

type Say = Callable[[str], None]


@dataclass(frozen=True)
class Flinks:
    """A Flinks to talk to; `control` and `connect_url` are the simulator's own, None at a foreign one."""

    url: str
    customer_id: str
    secret_key: str
    api_key: str
    control: str | None = None
    connect_url: str | None = None


class Stack:
    """The running service. `start` announces each step as it starts; `stop` leaves no process behind."""

    def __init__(self, folder: Path, say: Say) -> None:
        self.folder = folder
        self._say = say
        self._parts = ExitStack()
        self.outputs: dict[str, str] = {}

    def start(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        self._say(f"up after {time.monotonic() - started:.0f} s")
        return self

    def _start(self) -> None:
        self._say("building the artifacts (sam build; kept until a source changes)")
        built = deployment.build(ROOT, LambdaPlatform.here(), say=self._say)
        self._say("starting Flinks" + ("'s simulator" if "FLINKS_API_URL" not in os.environ else ": yours"))
        self.flinks = self._start_flinks()
        self._say("starting the AWS emulator")
        self.issuer = self._parts.enter_context(Issuer())
        self.emulator = self._start_emulator()
        self._say("deploying template.yaml")
        self.outputs = deployment.deploy(self.emulator, built, self._parameters(), self.folder, say=self._say)
        self._put_flinks_keys()

    def _start_flinks(self) -> Flinks:
        foreign = os.environ.get("FLINKS_API_URL")
        if foreign:
            return Flinks(
                url=foreign.rstrip("/"),
                customer_id=_needed("FLINKS_CUSTOMER_ID"),
                secret_key=_needed("FLINKS_SECRET_KEY"),
                api_key=_needed("FLINKS_API_KEY"),
            )
        simulator = self._parts.enter_context(
            Child([sys.executable, "-m", "local.flinks"], self.folder / "flinks.log", _environment())
        )
        said = simulator.ready(within=20)
        return Flinks(
            url=said["url"],
            customer_id=said["customerId"],
            secret_key=said["secretKey"],
            api_key=said["apiKey"],
            control=said["control"],
            connect_url=said["connectUrl"],
        )

    def _start_emulator(self) -> deployment.Emulator:
        command = [
            str(environment_python("stack")),
            "-m",
            "local.aws",
            "--lambda-python",
            str(environment_python("lambda")),
            "--folder",
            str(self.folder),
        ]
        emulator = self._parts.enter_context(Child(command, self.folder / "emulator.log", _environment()))
        return deployment.Emulator.from_ready_line(emulator.ready(within=60))

    def _parameters(self) -> dict[str, str]:
        return {
            "Architecture": LambdaPlatform.here().architecture,
            "JwtIssuer": self.issuer.url,
            "JwtAudience": AUDIENCE,
            "AllowedOrigins": "http://127.0.0.1",
            "FlinksApiUrl": self.flinks.url,
            "FlinksCustomerId": self.flinks.customer_id,
            "PollSeconds": self._poll_seconds(),
        }

    def _poll_seconds(self) -> str:
        ours = 10 if self.flinks.control is None else LOCAL_POLL_SECONDS
        return os.environ.get("POLL_SECONDS", str(ours))

    def _put_flinks_keys(self) -> None:
        """What ops do once after the first deployment."""
        secrets = self.client("secretsmanager")
        for output, member, key in (
            ("FlinksSecretKeyArn", "secretKey", self.flinks.secret_key),
            ("FlinksApiKeyArn", "apiKey", self.flinks.api_key),
        ):
            secrets.put_secret_value(SecretId=self.outputs[output], SecretString=json.dumps({member: key}))

    def client(self, service: Any) -> Any:
        """A boto3 client for the emulator, with the rights of an administrator."""
        return boto3.client(
            service,
            endpoint_url=self.emulator.url,
            region_name=self.emulator.region,
            aws_access_key_id=self.emulator.access_key_id,
            aws_secret_access_key=self.emulator.secret_access_key,
            config=Config(retries={"mode": "standard", "total_max_attempts": 2}, s3={"addressing_style": "path"}),
        )

    def description(self) -> dict[str, Any]:
        """What `.local/stack.json` tells whoever drives the stack from outside."""
        return {
            "apiUrl": self.outputs["ApiUrl"],
            "awsEndpointUrl": self.emulator.url,
            "region": self.emulator.region,
            "credentials": {
                "accessKeyId": self.emulator.access_key_id,
                "secretAccessKey": self.emulator.secret_access_key,
            },
            "outputs": self.outputs,
            "flinks": {
                "url": self.flinks.url,
                "customerId": self.flinks.customer_id,
                "control": self.flinks.control,
            },
            "tokens": {name: self.issuer.token(name) for name in ("alice", "bob")},
            "pageUrl": None,
        }

    def stop(self) -> None:
        self._parts.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@dataclass(frozen=True)
class LambdaPlatform:
    """This machine as Lambda names it, and as its wheels do."""

    architecture: str
    wheels: str

    @classmethod
    def here(cls) -> Self:
        if platform.machine() == "aarch64":
            return cls("arm64", "aarch64-manylinux_2_28")
        return cls("x86_64", "x86_64-manylinux_2_28")


def environment_python(name: str) -> Path:
    return ROOT / ".venvs" / name / "bin" / "python"


def _needed(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise SystemExit(f"FLINKS_API_URL is set, so {name} is needed too.")
    return value


def _environment() -> dict[str, str]:
    """What our children get: no proxies, no credentials of the person at the terminal."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
