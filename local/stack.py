"""Brings the whole service up on this machine, and takes it down: the emulator, Flinks' simulator, the deployment."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.aws import deployment
from local.aws.deployment import EmulatorAddress
from local.identity_providers import PROVIDERS, IdentityProvider
from local.issuer import Issuer
from local.page import Page
from local.process import Child, of_ours
from ops.preflight import mistakes, template_in

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
        self._clients: dict[str, Any] = {}
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
        self._say("using your Flinks" if "FLINKS_API_URL" in os.environ else "starting the simulator of Flinks")
        self.flinks = self._start_flinks()
        self.issuer = self._parts.enter_context(Issuer(identity_provider()))
        self.page = self._parts.enter_context(Page(self.issuer.token))
        refuse_mistakes(self.parameters())
        self._say("starting the AWS emulator")
        self.emulator = self._start_emulator()
        outputs = deployment.deploy(self.emulator, self.parameters(), self.folder, self._say)
        self.outputs = outputs | {"ApiUrl": self.emulator.api_url}
        self._put_flinks_keys()
        framed = None if self.flinks.connect_url is None else self.flinks.url
        self.page.serve(self.emulator.api_url, framed, outputs["Version"])

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
        said = json.loads(simulator.ready(within=20))
        return Flinks(
            url=said["url"],
            customer_id=said["customerId"],
            secret_key=said["secretKey"],
            api_key=said["apiKey"],
            control=said["control"],
            connect_url=said["connectUrl"],
        )

    def _start_emulator(self) -> EmulatorAddress:
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
        return EmulatorAddress.from_line(emulator.ready(within=60))

    def parameters(self) -> dict[str, str]:
        """What the template is deployed with."""
        return {
            "JwtIssuer": self.issuer.url,
            **self.issuer.provider.parameters,
            "AllowedOrigins": ",".join([self.page.origin, *more_origins()]),
            "FlinksApiUrl": self.flinks.url,
            "FlinksCustomerId": self.flinks.customer_id,
            "FlinksConnectUrl": self.flinks.connect_url or "",
            "FlinksDemo": "true",
            # whoever tries things out here is one and the same user
            **dict.fromkeys(("SessionsPerHour", "FetchesPerHour", "FetchesPerConnection"), "100000"),
            "PollSeconds": self._poll_seconds(),
        }

    def _poll_seconds(self) -> str:
        ours = 10 if self.flinks.control is None else LOCAL_POLL_SECONDS
        return os.environ.get("POLL_SECONDS", str(ours))

    def _put_flinks_keys(self) -> None:
        """What ops do once after the first deployment."""
        stack = {"StackName": deployment.STACK_NAME}
        for secret, member, key in (
            ("FlinksSecretKey", "secretKey", self.flinks.secret_key),
            ("FlinksApiKey", "apiKey", self.flinks.api_key),
        ):
            found = self.client("cloudformation").describe_stack_resource(**stack, LogicalResourceId=secret)
            self.client("secretsmanager").put_secret_value(
                SecretId=found["StackResourceDetail"]["PhysicalResourceId"], SecretString=json.dumps({member: key})
            )

    def client(self, service: str) -> Any:
        """A boto3 client for the emulator, with the rights of an administrator."""
        if service not in self._clients:
            self._clients[service] = self.emulator.client(service)
        return self._clients[service]

    def alarms_on(self) -> dict[str, str]:
        """The alarms that are on, with what they mean."""
        pages = self.client("cloudwatch").get_paginator("describe_alarms").paginate(StateValue="ALARM")
        return {each["AlarmName"]: each["AlarmDescription"] for page in pages for each in page["MetricAlarms"]}

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
            "pageUrl": self.page.url,
        }

    def stop(self) -> None:
        for client in self._clients.values():
            client.close()
        self._parts.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def environment_python(name: str) -> Path:
    return ROOT / ".venvs" / name / "bin" / "python"


SAID_BY = {
    "AllowedOrigins": "ALLOWED_ORIGINS",
    "FlinksApiUrl": "FLINKS_API_URL",
    "FlinksCustomerId": "FLINKS_CUSTOMER_ID",
    "PollSeconds": "POLL_SECONDS",
}
"""The parameters of the template that an environment variable gives."""


def refuse_mistakes(parameters: Mapping[str, str]) -> None:
    """End with a sentence for each variable that the template would refuse, before anything is built for it."""
    if not any(variable in os.environ for variable in SAID_BY.values()):
        return
    wrong = [each.partition(":") for each in mistakes(template_in(ROOT / "template.yaml"), parameters)]
    if wrong:
        raise SystemExit("\n".join(f"{SAID_BY.get(name, name)}{colon}{why}" for name, colon, why in wrong))


def more_origins() -> list[str]:
    """Whose pages may call the API too; the template says the same of what an origin is."""
    origins = [each.strip() for each in os.environ.get("ALLOWED_ORIGINS", "").split(",") if each.strip()]
    if not all(re.fullmatch(r"https://[^\s/*]+|http://(localhost|127\.0\.0\.1)(:\d{1,5})?", each) for each in origins):
        raise SystemExit("ALLOWED_ORIGINS takes origins such as http://localhost:8000, separated by commas.")
    return origins


def identity_provider() -> IdentityProvider:
    """Whose access tokens the local ones are like."""
    name = os.environ.get("IDENTITY_PROVIDER") or "plain"
    if name not in PROVIDERS:
        raise SystemExit(f"IDENTITY_PROVIDER: must be one of {', '.join(PROVIDERS)}.")
    return PROVIDERS[name]


def _needed(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise SystemExit(f"FLINKS_API_URL is set, so {name} is needed too.")
    return value


def _environment() -> dict[str, str]:
    """What our children get: no proxies, no credentials of the person at the terminal."""
    return {**of_ours("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR"), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
