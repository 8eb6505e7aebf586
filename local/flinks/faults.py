"""Fault scripts: steps that replace or spoil the answers of an endpoint, one call each (README.md)."""

import gzip
import json
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from local.flinks.ids import random_guid, sequential_guid
from local.flinks.reply import Json, Reply, Wire

MEGABYTE = 1024 * 1024
_ERRORS = 400
ELSEWHERE = "https://elsewhere.example.invalid/"

type Spoil = Callable[[Reply, Json], Reply]


@dataclass(frozen=True)
class Fault:
    """One kind of fault: `instead` of an answer, leaving Flinks' state alone, or a real answer spoiled."""

    spoil: Spoil
    says: str
    instead: bool


CATALOGUE: dict[str, Fault] = {}


def _fault(says: str, *, instead: bool = False) -> Callable[[Spoil], Spoil]:
    def keep(spoil: Spoil) -> Spoil:
        CATALOGUE[spoil.__name__.strip("_")] = Fault(spoil, says, instead)
        return spoil

    return keep


@dataclass
class Script:
    """What an endpoint answers, step after step; when all are consumed, Flinks is itself again."""

    steps: list[Json]
    endpoints: frozenset[str] = frozenset()  # empty: any
    login_id: str | None = None  # None: any
    number: int = 0
    served: int = 0
    used: int = 0  # of the first step still there

    def matches(self, endpoint: str, login_id: str | None) -> bool:
        return (
            bool(self.steps)
            and (not self.endpoints or endpoint in self.endpoints)
            and self.login_id in {None, login_id}
        )

    def next_step(self) -> Json:
        step = self.steps[0]
        self.served += 1
        self.used += 1
        times = step.get("times", 1)
        if times != "forever" and self.used >= times:
            self.steps.pop(0)
            self.used = 0
        return step

    def as_json(self) -> Json:
        return {
            "number": self.number,
            "endpoints": sorted(self.endpoints),
            "loginId": self.login_id,
            "steps": self.steps,
            "used": self.used,
            "served": self.served,
        }


@dataclass
class Faults:
    """The scripts in force, oldest first; the first that matches gives its next step."""

    _scripts: list[Script] = field(default_factory=list)
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, content: Any) -> Script:
        """Add {endpoint?, loginId?, steps}, or one step in place of steps. Raise ValueError."""
        script = read_script(content)
        with self._lock:
            self._number += 1
            script.number = self._number
            self._scripts.append(script)
        return script

    def next_step(self, endpoint: str, login_id: str | None) -> Json | None:
        with self._lock:
            for script in self._scripts:
                if script.matches(endpoint, login_id):
                    return script.next_step()
        return None

    def remove(self, number: int | None = None) -> None:
        """Remove one script, or all."""
        with self._lock:
            self._scripts = [each for each in self._scripts if number not in {None, each.number}]

    def as_json(self) -> list[Json]:
        with self._lock:
            return [script.as_json() for script in self._scripts]


def read_script(content: Any) -> Script:
    """Raise ValueError when malformed."""
    if not isinstance(content, dict):
        raise ValueError("a script is {endpoint?, loginId?, steps}")  # noqa: TRY004 - it is JSON
    rest = {name: value for name, value in content.items() if name not in {"endpoint", "loginId", "steps"}}
    steps = content.get("steps", [rest])
    if "steps" in content and rest:
        raise ValueError(f"beside steps there is no {', '.join(rest)}")
    endpoints = content.get("endpoint", [])
    endpoints = [endpoints] if isinstance(endpoints, str) else endpoints
    login_id = content.get("loginId")
    if not isinstance(steps, list) or not steps or not isinstance(login_id, str | None):
        raise ValueError("steps is a list with at least one step, loginId a string")
    for step in steps:
        _check_step(step)
    return Script([dict(step) for step in steps], frozenset(endpoints) - {"*"}, login_id.lower() if login_id else None)


def _check_step(step: Any) -> None:
    if not isinstance(step, dict):
        raise ValueError("a step is an object")  # noqa: TRY004 - it is JSON
    name, times = fault_name(step), step.get("times", 1)
    if name not in CATALOGUE:
        raise ValueError(f"there is no fault {name!r}")
    if name == "without" and not isinstance(step.get("member"), str):
        raise ValueError("member says without which member")
    if times != "forever" and (type(times) is not int or times < 1):
        raise ValueError('times is a whole number from 1, or "forever"')


def fault_name(step: Json) -> str:
    """Name a step's fault; `{"code": ...}`, `{"body": ...}` and `{"hang": ...}` need no `fault` beside them."""
    if "fault" in step:
        return str(step["fault"])
    return "code" if "code" in step else "raw" if "body" in step else "ok"


def apply(step: Json, answer: Callable[[], Reply]) -> Reply:
    """Play one step. `answer` does what Flinks would have done; a fault in its place does not call it."""
    fault = CATALOGUE[fault_name(step)]
    stands_alone = fault.instead and not step.get("withSession")
    reply = fault.spoil(Reply(200) if stands_alone else answer(), step)
    reply = reply.with_headers(step.get("headers", {}))
    if "hang" in step:
        reply = replace(reply, wire=replace(reply.wire, hang_seconds=float(step["hang"])))
    return reply


# In the place of an answer ------------------------------------------------------------------------------------


@_fault(
    "any FlinksCode (null: none), status, message, members; withSession: the RequestId works",
    instead=True,
)
def _code(reply: Reply, step: Json) -> Reply:
    members = dict(step.get("members", {}))
    if step.get("withSession"):
        members |= {k: v for k, v in reply.json().items() if k in {"RequestId", "Institution"}}
    if "message" in step:
        members["Message"] = step["message"]
    return Reply.of_code(step.get("code"), step.get("status"), **members)


@_fault("a body, text or any JSON, as it is, with status and contentType", instead=True)
def _raw(_: Reply, step: Json) -> Reply:
    body = step.get("body", "")
    text = body if isinstance(body, str) else json.dumps(body)
    usual_type = "text/plain" if isinstance(body, str) else "application/json"
    return Reply(step.get("status", 200), text.encode(), {"Content-Type": step.get("contentType", usual_type)})


@_fault("an HTML page with status 200, 502, 503 (default)...", instead=True)
def _html(_: Reply, step: Json) -> Reply:
    page = b"<!DOCTYPE html><html><head><title>Service Unavailable</title></head><body><h1>Sorry</h1></body></html>"
    return Reply(step.get("status", 503), page, {"Content-Type": "text/html; charset=utf-8"})


@_fault("an empty body with status (200)", instead=True)
def _empty(_: Reply, step: Json) -> Reply:
    return Reply(step.get("status", 200), b"", {"Content-Type": "application/json"})


@_fault("status (302) with a Location: location, by default another host", instead=True)
def _redirect(_: Reply, step: Json) -> Reply:
    return Reply(step.get("status", 302), b"", {"Location": step.get("location", ELSEWHERE)})


@_fault("203 with a security question", instead=True)
def _mfa(_: Reply, step: Json) -> Reply:
    request_id = random_guid("mfa", json.dumps(step))
    return Reply.of_json(203, challenge(request_id, "FlinksCapital", "What city were you born in?"))


@_fault("the connection ends before a byte was answered", instead=True)
def _refused(_: Reply, __: Json) -> Reply:
    return Reply(200, wire=Wire(cut="before"))


def challenge(request_id: str, institution: str, prompt: str) -> Json:
    """Write the 203 body of flinks.md §5.3."""
    return {
        "Links": [{"rel": "Authorization", "href": "/Authorize", "example": None}],
        "HttpStatusCode": 203,
        "SecurityChallenges": [{"Type": "QuestionAndAnswer", "Prompt": prompt, "Iterables": None}],
        "Institution": institution,
        "RequestId": request_id,
    }


@_fault("202 for a request that would be answered well: code (OPERATION_PENDING), members")
def _pending(reply: Reply, step: Json) -> Reply:
    if reply.status >= _ERRORS:
        return reply
    same = {name: value for name, value in reply.json().items() if name == "RequestId"}
    return Reply.of_code(step.get("code", "OPERATION_PENDING"), 202, **(same | step.get("members", {})))


# On the wire --------------------------------------------------------------------------------------------------


@_fault("nothing is wrong: lets a call pass between two faults; with hang, late")
def _ok(reply: Reply, _: Json) -> Reply:
    return reply


@_fault("the answer after `seconds` (1) of real time")
def _hang(reply: Reply, step: Json) -> Reply:
    return replace(reply, wire=replace(reply.wire, hang_seconds=float(step.get("seconds", 1))))


@_fault("reset before a byte was answered")
def _reset(reply: Reply, _: Json) -> Reply:
    return replace(reply, wire=Wire(cut="before", reset=True))


@_fault("reset in the header")
def _reset_in_header(reply: Reply, _: Json) -> Reply:
    return replace(reply, wire=Wire(cut="head", reset=True))


@_fault("reset in the body")
def _reset_in_body(reply: Reply, _: Json) -> Reply:
    return replace(reply, wire=Wire(cut="body", reset=True))


@_fault("the connection closes in the middle of the body")
def _truncated(reply: Reply, _: Json) -> Reply:
    return replace(reply, wire=Wire(cut="body"))


@_fault("the answer at bytesPerSecond (20)")
def _slow_drip(reply: Reply, step: Json) -> Reply:
    return replace(reply, wire=Wire(bytes_per_second=float(step.get("bytesPerSecond", 20)), close=True))


@_fault("a Content-Length that is off by `by` (-10): too short or too long")
def _wrong_content_length(reply: Reply, step: Json) -> Reply:
    length = max(0, len(reply.body) + step.get("by", -10))
    return replace(reply.with_headers({"Content-Length": str(length)}), wire=Wire(close=True))


@_fault("the answer, honestly compressed")
def _gzip(reply: Reply, _: Json) -> Reply:
    return replace(reply.with_headers({"Content-Encoding": "gzip"}), body=gzip.compress(reply.body, 1))


@_fault("the header says gzip, the body is not")
def _gzip_lie(reply: Reply, _: Json) -> Reply:
    return reply.with_headers({"Content-Encoding": "gzip"})


@_fault("a small body that inflates to `megabytes` (200)")
def _gzip_bomb(reply: Reply, step: Json) -> Reply:
    return replace(reply.with_headers({"Content-Encoding": "gzip"}), body=_bomb(int(step.get("megabytes", 200))))


@lru_cache(maxsize=2)
def _bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(1, wbits=31)  # 31: with gzip's header and trailer
    spaces = b" " * MEGABYTE
    return b"".join([packer.compress(spaces) for _ in range(megabytes)] + [packer.compress(b"{}"), packer.flush()])


@_fault("the answer, valid JSON, blown up to `megabytes` (60)")
def _huge(reply: Reply, step: Json) -> Reply:
    room = int(step.get("megabytes", 60)) * MEGABYTE - len(reply.body)
    return replace(reply, body=reply.body[:-1] + b" " * max(0, room) + reply.body[-1:])


@_fault("the answer with contentType (text/html)")
def _wrong_content_type(reply: Reply, step: Json) -> Reply:
    return reply.with_headers({"Content-Type": step.get("contentType", "text/html")})


@_fault("a byte order mark before the body")
def _bom(reply: Reply, _: Json) -> Reply:
    return replace(reply, body=b"\xef\xbb\xbf" + reply.body)


@_fault("`text` (another object) after the body")
def _trailing_garbage(reply: Reply, step: Json) -> Reply:
    return replace(reply, body=reply.body + step.get("text", '{"Accounts":[]}').encode())


@_fault("a byte that is no UTF-8 in the body")
def _invalid_utf8(reply: Reply, _: Json) -> Reply:
    return replace(reply, body=reply.body[:-1] + b',"Note":"\xff"}')


@_fault("another status for the same body: status (500)")
def _status(reply: Reply, step: Json) -> Reply:
    return replace(reply, status=step.get("status", 500))


# In the JSON --------------------------------------------------------------------------------------------------


def _with_literal(reply: Reply, literal: str) -> Reply:
    """Put a literal that json.dumps would not write where the first balance is, or into a member of its own."""
    content = reply.json()
    balances = [account["Balance"] for account in content.get("Accounts") or []]
    target, name = (balances[0], "Current") if balances else (content, "Note")
    target[name] = "@literal@"
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return replace(reply, body=text.replace('"@literal@"', literal).encode())


@_fault("a number that is no JSON: literal (NaN)")
def _nan(reply: Reply, step: Json) -> Reply:
    return _with_literal(reply, str(step.get("literal", "NaN")))


@_fault("an integer of `digits` (100000) digits")
def _huge_integer(reply: Reply, step: Json) -> Reply:
    return _with_literal(reply, "9" * int(step.get("digits", 100_000)))


@_fault("a number that no double holds: literal (12345678901234567.89)")
def _wide_number(reply: Reply, step: Json) -> Reply:
    return _with_literal(reply, str(step.get("literal", "12345678901234567.89")))


@_fault("arrays nested `depth` (100000) deep")
def _deep_nesting(reply: Reply, step: Json) -> Reply:
    depth = int(step.get("depth", 100_000))
    return _with_literal(reply, "[" * depth + "]" * depth)


@_fault("half a surrogate pair in a string")
def _lone_surrogate(reply: Reply, _: Json) -> Reply:
    return _with_literal(reply, '"\\ud83d"')


@_fault("the member `member` (Accounts) twice, the second time empty")
def _duplicate_keys(reply: Reply, step: Json) -> Reply:
    name = json.dumps(step.get("member", "Accounts"))
    return replace(reply, body=reply.body[:-1] + f",{name}:[]}}".encode())


def _edited(reply: Reply, edit: Callable[[Json], None]) -> Reply:
    content = reply.json()
    edit(content)
    return replace(reply, body=json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())


def _on_each(reply: Reply, kind: Literal["account", "transaction"], edit: Callable[[Json], None]) -> Reply:
    def edit_all(content: Json) -> None:
        for account in content.get("Accounts") or []:
            for target in [account] if kind == "account" else account["Transactions"]:
                edit(target)

    return _edited(reply, edit_all)


@_fault("the answer without FlinksCode")
def _no_code(reply: Reply, _: Json) -> Reply:
    return _edited(reply, lambda content: content.pop("FlinksCode", None))


@_fault("the answer with `members` set at the top")
def _members(reply: Reply, step: Json) -> Reply:
    return _edited(reply, lambda content: content.update(step.get("members", {})))


@_fault("the answer without the member `member`")
def _without(reply: Reply, step: Json) -> Reply:
    return _edited(reply, lambda content: content.pop(step["member"], None))


@_fault("data, and a FlinksCode that speaks against it: flinksCode (AGGREGATION_ERROR)")
def _code_beside_data(reply: Reply, step: Json) -> Reply:
    code = step.get("flinksCode", "AGGREGATION_ERROR")
    return _edited(reply, lambda content: content.update(FlinksCode=code))


@_fault("another login's answer: Login.Id is `as` (an invented one), Username too")
def _other_login(reply: Reply, step: Json) -> Reply:
    login = {"Id": step.get("as", sequential_guid("another login")), "Username": "somebody_else"}
    return _edited(reply, lambda content: content.update(Login=content.get("Login", {}) | login))


@_fault("another request's answer: RequestId is invented")
def _other_request(reply: Reply, _: Json) -> Reply:
    return _edited(reply, lambda content: content.update(RequestId=random_guid("another request")))


@_fault("the answer with Tag set to `tag`")
def _other_tag(reply: Reply, step: Json) -> Reply:
    return _edited(reply, lambda content: content.update(Tag=step.get("tag", "somebody else's")))


@_fault("Accounts is empty")
def _zero_accounts(reply: Reply, _: Json) -> Reply:
    return _edited(reply, lambda content: content.update(Accounts=[]))


@_fault("Accounts is absent")
def _absent_accounts(reply: Reply, _: Json) -> Reply:
    return _edited(reply, lambda content: content.pop("Accounts", None))


@_fault("Accounts is `value` (null), no array")
def _odd_accounts(reply: Reply, step: Json) -> Reply:
    return _edited(reply, lambda content: content.update(Accounts=step.get("value")))


@_fault("every account without transactions, as a neo-bank right after connecting")
def _no_transactions(reply: Reply, _: Json) -> Reply:
    return _on_each(reply, "account", lambda account: account.update(Transactions=[]))


@_fault("Holder is a string: the name")
def _holder_as_string(reply: Reply, _: Json) -> Reply:
    return _on_each(
        reply,
        "account",
        lambda account: account.update(Holder=account["Holder"] and account["Holder"]["Name"]),
    )


@_fault("members nobody has heard of, at every level")
def _unknown_members(reply: Reply, _: Json) -> Reply:
    novelty = {"Novelty": {"Since": 2027, "Ratios": [0.1, None]}}
    reply = _edited(reply, lambda content: content.update(novelty))
    reply = _on_each(reply, "account", lambda account: account.update(novelty, ETransferEligibleRatio=0.875))
    return _on_each(reply, "transaction", lambda entry: entry.update(novelty))


@_fault("dates as YYYY/MM/DD and YYYY-MM-DDT00:00:00")
def _odd_dates(reply: Reply, _: Json) -> Reply:
    def edit(entry: Json) -> None:
        day = str(entry["Date"])
        entry["Date"] = day.replace("-", "/") if int(day[-1]) % 2 else f"{day}T00:00:00"

    return _on_each(reply, "transaction", edit)


@_fault("both Debit and Credit set")
def _debit_and_credit(reply: Reply, _: Json) -> Reply:
    return _on_each(
        reply,
        "transaction",
        lambda entry: entry.update(Debit=entry["Debit"] or 0.01, Credit=entry["Credit"] or 0.01),
    )


@_fault("Debit or Credit 0 where it is usually null")
def _zero_for_null(reply: Reply, _: Json) -> Reply:
    return _on_each(
        reply,
        "transaction",
        lambda entry: entry.update(Debit=entry["Debit"] or 0, Credit=entry["Credit"] or 0),
    )


@_fault("amounts as strings")
def _numbers_as_strings(reply: Reply, _: Json) -> Reply:
    def edit(entry: Json) -> None:
        entry.update({k: str(entry[k]) for k in ("Debit", "Credit", "Balance") if entry[k] is not None})

    return _on_each(reply, "transaction", edit)
