"""Requests that must be refused, made by hand, each with the answer that it must get."""

import base64
import codecs
import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from landing.edge.web import ProblemType
from local.issuer import AUDIENCE, Issuer

MARK = "5ecre7"
"""Stands in what is sent, and in no answer."""
LOGIN_ID = "3f0c6a54-2b1e-4c77-5d25-08de7a41c9b2"
ACCOUNT = "d2740b9c-61fe-4a3d-f0c8-08de7a41ca07"
NOBODYS = "con_" + "a" * 26


@dataclass(frozen=True)
class Gateway:
    """An answer of the gateway's own."""

    status: int
    message: str


UNAUTHORIZED = Gateway(401, "Unauthorized")
FORBIDDEN = Gateway(403, "Forbidden")
NOT_FOUND = Gateway(404, "Not Found")
TOO_LARGE = Gateway(413, "Request Entity Too Large")


def alice(issuer: Issuer) -> str | None:
    return f"Bearer {issuer.token('alice')}"


@dataclass(frozen=True)
class BadRequest:
    """What is sent, byte for byte, and the refusal. `authorization` makes the header's value; None leaves it out."""

    name: str
    method: str
    path: str
    refusal: ProblemType | Gateway
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    authorization: Callable[[Issuer], str | None] = alice


# --- bodies


def _post(name: str, body: bytes | str, refusal: ProblemType | Gateway, **more: Any) -> BadRequest:
    content = body if isinstance(body, bytes) else body.encode()
    more = {"path": "/connections", "headers": {"Content-Type": "application/json"}, **more}
    return BadRequest(name, "POST", refusal=refusal, body=content, **more)


def _login(**members: Any) -> str:
    return json.dumps({"loginId": LOGIN_ID, **members})


def sizes() -> Iterator[BadRequest]:
    good = _login().encode()
    for name, body in {
        "one byte too many": good.ljust(8193),
        "few characters of many bytes": _login()[:-1].encode() + b', "institution": "' + "€".encode() * 2731 + b'"}',
        "twice too large": b'"' + MARK.encode() + b"x" * 16384 + b'"',
        "twice too large and a bit": b'"' + MARK.encode() + b"x" * 20000 + b'"',
        "a megabyte": b'{"' + MARK.encode() + b'": "' + b"x" * 1_000_000 + b'"}',
        "a megabyte of brackets": b"[" * 1_000_000,
        "a megabyte of blanks": b" " * 1_000_000,
        "a thousand members": json.dumps({f"{MARK}{n}": n for n in range(1000)}).encode(),
    }.items():
        yield _post(name, body, ProblemType.BODY_TOO_LARGE)
    yield _post("more than the gateway takes", b"x" * (10 * 1024 * 1024 + 1), TOO_LARGE)
    for name, body in {"no body": b"", "blanks": b"  \r\n\t", "eight kilobytes of blanks": b" " * 8192}.items():
        yield _post(name, body, ProblemType.MALFORMED_JSON)


def encodings() -> Iterator[BadRequest]:
    good = _login()
    named = good[:-1] + ', "institution": "%s"}'
    for name, body in {
        "a byte order mark": codecs.BOM_UTF8 + good.encode(),
        "UTF-16, little end first": good.encode("utf-16-le"),
        "UTF-16, big end first": good.encode("utf-16-be"),
        "UTF-16 with a mark": good.encode("utf-16"),
        "UTF-32": good.encode("utf-32"),
        "Latin-1": (named % "Québec").encode("latin-1"),
        "an overlong NUL": (named % "@").encode().replace(b"@", b"\xc0\x80"),
        "an overlong slash": (named % "@").encode().replace(b"@", b"\xe0\x80\xaf"),
        "a surrogate in UTF-8": (named % "@").encode().replace(b"@", b"\xed\xa0\x80"),
        "half a character": (named % "@").encode().replace(b"@", b"\xe2\x82"),
        "a byte that never is": (named % "@").encode().replace(b"@", b"\xff"),
        "beyond Unicode": (named % "@").encode().replace(b"@", b"\xf5\x80\x80\x80"),
        "a replacement character": (named % "\ufffd").encode(),
        "base64": base64.b64encode(good.encode()),
        "a quoted-printable body": b"=7B=22loginId=22=3A=20=22" + MARK.encode() + b"=22=7D",
        "URL encoding": b"loginId=" + LOGIN_ID.encode(),
        "percent signs": b"%7B%22loginId%22%3A%22" + LOGIN_ID.encode() + b"%22%7D",
    }.items():
        yield _post(name, body, ProblemType.MALFORMED_JSON)
    squeezed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    yield _post("gzip", gzip.compress(good.encode()), ProblemType.MALFORMED_JSON, headers=squeezed)


def json_texts() -> Iterator[BadRequest]:
    good = _login()
    for name, body in {
        "nonsense": MARK,
        "an open object": f'{{"loginId": "{LOGIN_ID}"',
        "an open string": f'{{"loginId": "{LOGIN_ID}',
        "nothing but a brace": "}",
        "something behind": good + MARK,
        "two objects": good + good,
        "two lines of JSON": good + "\n" + good,
        "something before": MARK + good,
        "a comma too many": good[:-1] + ",}",
        "a comma first": "{," + good[1:],
        "a comment": good[:-1] + f"/* {MARK} */}}",
        "a line comment": good + f" // {MARK}",
        "single quotes": good.replace('"', "'"),
        "a key without quotes": good.replace('"loginId"', "loginId"),
        "an equals sign": good.replace(":", "="),
        "NaN": '{"loginId": NaN}',
        "Infinity": '{"loginId": Infinity}',
        "minus Infinity": '{"loginId": -Infinity}',
        "NaN by itself": "NaN",
        "undefined": '{"loginId": undefined}',
        "True of Python": '{"loginId": True}',
        "a hexadecimal number": '{"loginId": 0x1F}',
        "a leading zero": '{"loginId": 007}',
        "a plus sign": '{"loginId": +1}',
        "no digit before the point": '{"loginId": .5}',
        "no digit behind the point": '{"loginId": 1.}',
        "an integer of five thousand digits": '{"loginId": ' + "1" * 5000 + "}",
        "a bad escape": '{"loginId": "\\x41"}',
        "half an escape": '{"loginId": "\\u12"}',
        "a newline in a string": f'{{"loginId": "{MARK}\n"}}',
        "a NUL in a string": f'{{"loginId": "{MARK}\0"}}',
        "a NUL behind": good + "\0",
        "a lone high surrogate": f'{{"loginId": "{MARK}\\ud800"}}',
        "a lone low surrogate": f'{{"loginId": "{MARK}\\udc00"}}',
        "surrogates the wrong way round": f'{{"loginId": "{MARK}\\udc00\\ud800"}}',
        "a lone surrogate in a key": f'{{"{MARK}\\ud800": 1}}',
        "a key twice": good[:-1] + f', "loginId": "{LOGIN_ID}"}}',
        "a key twice, once escaped": good[:-1] + f', "login\\u0049d": "{LOGIN_ID}"}}',
        "an unknown key twice": good[:-1] + f', "{MARK}": 1, "{MARK}": 2}}',
        "a key twice, further in": good[:-1] + f', "institution": {{"{MARK}": 1, "{MARK}": 2}}}}',
        "depth": '{"a":' * 33 + "1" + "}" * 33,
        "depth of lists": "[" * 33 + "]" * 33,
        "great depth": "[" * 8192,
        "great depth of both": '[{"a":' * 1000,
    }.items():
        yield _post(name, body, ProblemType.MALFORMED_JSON)


def members() -> Iterator[BadRequest]:
    for name, body in {
        "an empty object": "{}",
        "a list": f'["{MARK}"]',
        "an empty list": "[]",
        "a string": f'"{MARK}"',
        "null": "null",
        "true": "true",
        "a number": "17",
        "a number beyond all": "1e999",
        "a login in a list": f'[{{"loginId": "{LOGIN_ID}"}}]',
        "no loginId": '{"institution": "FlinksCapital"}',
        "an empty key": _login(**{"": MARK}),
        "a prototype": _login(__proto__={MARK: 1}),
        "another owner": _login(owner=MARK),
        "a status": _login(status="ready"),
        "a connectionId": _login(connectionId=NOBODYS),
        "a generation": _login(generation=MARK),
        "a redirect": _login(redirectUrl=f"https://{MARK}.example"),
        "a requestId": _login(requestId=LOGIN_ID),
        "brackets inside a string": json.dumps({"loginId": "[" * 64}),
    }.items():
        yield _post(name, body, ProblemType.INVALID_BODY)
    for spelling in ("login_id", "LoginId", "LOGINID", "loginID", "login-id", " loginId", "loginId ", "login\u0131d"):
        yield _post(f"the member {spelling!a}", json.dumps({spelling: LOGIN_ID}), ProblemType.INVALID_BODY)


def login_ids() -> Iterator[BadRequest]:
    bare = LOGIN_ID.replace("-", "")
    for name, value in {
        "null": None,
        "true": True,
        "a number": 17,
        "a fraction": 1.5,
        "a list": [LOGIN_ID],
        "an object": {"value": LOGIN_ID},
        "empty": "",
        "a word": MARK,
        "without hyphens": bare,
        "in braces": f"{{{LOGIN_ID}}}",
        "in parentheses": f"({LOGIN_ID})",
        "as a URN": f"urn:uuid:{LOGIN_ID}",
        "in quotes": f'"{LOGIN_ID}"',
        "a blank before": f" {LOGIN_ID}",
        "a blank behind": f"{LOGIN_ID} ",
        "a tab behind": f"{LOGIN_ID}\t",
        "a newline behind": f"{LOGIN_ID}\n",
        "a NUL behind": f"{LOGIN_ID}\0",
        "a NUL inside": LOGIN_ID.replace("a", "\0", 1),
        "a digit too few": LOGIN_ID[:-1],
        "a digit too many": f"{LOGIN_ID}0",
        "other groups": f"{bare[:4]}-{bare[4:8]}-{bare[8:12]}-{bare[12:16]}-{bare[16:]}",
        "hyphens elsewhere": f"{bare[:9]}-{bare[9:12]}-{bare[12:16]}-{bare[16:20]}-{bare[20:]}",
        "a g": LOGIN_ID.replace("f", "g"),
        "an O for a nought": LOGIN_ID.replace("0", "O"),
        "two in one": f"{LOGIN_ID},{LOGIN_ID}",
        "two lines": f"{LOGIN_ID}\n{LOGIN_ID}",
        "underscores": LOGIN_ID.replace("-", "_"),
        "en dashes": LOGIN_ID.replace("-", "\u2013"),
        "minus signs": LOGIN_ID.replace("-", "\u2212"),
        "soft hyphens": LOGIN_ID.replace("-", "\u00ad"),
        "full-width digits": LOGIN_ID.replace("3", "\uff13"),
        "Arabic digits": LOGIN_ID.replace("3", "\u0663"),
        "a Cyrillic a": LOGIN_ID.replace("a", "\u0430"),
        "a zero-width space": LOGIN_ID[:8] + "\u200b" + LOGIN_ID[8:],
        "a direction mark": f"\u202e{LOGIN_ID}",
        "a combining accent": f"{LOGIN_ID}\u0301",
        "an emoji": LOGIN_ID[:-1] + "\U0001f511",
        "base64": base64.b64encode(bytes.fromhex(bare)).decode(),
        "hexadecimal with 0x": f"0x{bare}",
        "percent signs": LOGIN_ID.replace("-", "%2D"),
        "a path": f"../{LOGIN_ID}",
        "SQL": f"{LOGIN_ID}' OR '1'='1",
        "a URL": f"https://{MARK}.example/{LOGIN_ID}",
        "very long": LOGIN_ID * 100,
    }.items():
        yield _post(f"a loginId: {name}", json.dumps({"loginId": value}), ProblemType.INVALID_BODY)


def other_members() -> Iterator[BadRequest]:
    for name, value in {
        "a number": 17,
        "a list": [MARK],
        "true": True,
        "an object": {MARK: 1},
    }.items():
        yield _post(f"an institution: {name}", _login(institution=value), ProblemType.INVALID_BODY)
    members: dict[str, dict[str, Any]] = {
        "another language": {"language": MARK},
        "a region": {"language": "fr-CA"},
        "two languages": {"language": ["en", "fr"]},
        "half a year": {"daysOfTransactions": 180},
        "days as a text": {"daysOfTransactions": "365"},
        "days as Flinks has them": {"daysOfTransactions": "Days365"},
        "days with a fraction": {"daysOfTransactions": 90.5},
        "days that are true": {"daysOfTransactions": True},
    }
    for name, member in members.items():
        yield _post(f"a login: {name}", _login(**member), ProblemType.INVALID_BODY)
    for name, chosen in {
        "a string": ACCOUNT,
        "an object": {ACCOUNT: True},
        "empty": [],
        "a number": [17],
        "null": [None],
        "a list": [[ACCOUNT]],
        "a word": [MARK],
        "an empty word": [""],
        "101": [f"{ACCOUNT[:-3]}{number:03d}" for number in range(101)],
        "one twice": [ACCOUNT, ACCOUNT],
        "one twice, once in capitals": [ACCOUNT, ACCOUNT.upper()],
        "a good one and a bad one": [ACCOUNT, MARK],
        "true": True,
    }.items():
        yield _post(f"accountIds: {name}", _login(accountIds=chosen), ProblemType.INVALID_BODY)


def sessions() -> Iterator[BadRequest]:
    invalid: dict[str, Any] = {
        "another language": {"language": MARK},
        "capitals": {"language": "EN"},
        "a region": {"language": "fr-CA"},
        "no language": {"language": None},
        "a number for a language": {"language": 1},
        "two languages": {"language": ["en", "fr"]},
        "a word for a truth": {"selectAccounts": "true"},
        "a number for a truth": {"selectAccounts": 1},
        "null for a truth": {"selectAccounts": None},
        "a number for an institution": {"institution": 17},
        "a list for a name": {"customerName": [MARK]},
        "another theme": {"theme": MARK},
        "terms without https": {"termsUrl": f"http://{MARK}.example"},
        "terms that run": {"termsUrl": f"javascript:alert('{MARK}')"},
        "terms with a password": {"termsUrl": f"https://a:b@{MARK}.example"},
        "terms without a host": {"termsUrl": "https:///terms"},
        "terms with a blank": {"termsUrl": f"https://{MARK}.example/a b"},
        "long terms": {"termsUrl": f"https://{MARK}.example/".ljust(513, "x")},
        "half a year": {"daysOfTransactions": 180},
        "days as a text": {"daysOfTransactions": "90"},
        "a word for a WebView": {"webview": "true"},
        "OAuth in the whole window": {"oauthWindowRedirect": True},
        "a redirect": {"redirectUrl": f"https://{MARK}.example"},
        "a tag": {"tag": MARK},
        "another owner": {"owner": MARK},
        "a customer": {"customerId": MARK},
        "a list": [],
        "null": None,
    }
    for name, body in invalid.items():
        yield _post(f"a session: {name}", json.dumps(body), ProblemType.INVALID_BODY, path="/connect-sessions")
    for name, malformed in {"no body": "", "a key twice": '{"language": "en", "language": "fr"}'}.items():
        yield _post(f"a session: {name}", malformed, ProblemType.MALFORMED_JSON, path="/connect-sessions")
    yield _post("a session: too large", b"{}".ljust(8193), ProblemType.BODY_TOO_LARGE, path="/connect-sessions")
    yield _post("a session: plain text", "{}", ProblemType.NOT_JSON, path="/connect-sessions", headers={})


def media_types() -> Iterator[BadRequest]:
    for media_type in (
        "",
        "json",
        "text/plain",
        "text/json",
        "text/html",
        "application/xml",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/problem+json",
        "application/vnd.api+json",
        "application/jsonx",
        "application/ json",
        "application/json, application/json",
        "application/json; text/plain",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        "application/json; charset=",
        'application/json; charset="utf-8',
        "application/json; charset=utf-8; charset=utf-8",
        "application/json; boundary",
        "application/json; =x",
        f"application/json; a={MARK} {MARK}",
        f"application/json; charset=utf-8; charset={MARK}",
        f"application/json, {MARK}",
        f"{MARK}/json",
        "*/*",
    ):
        yield _post(f"Content-Type: {media_type}", _login(), ProblemType.NOT_JSON, headers={"Content-Type": media_type})
    yield _post("no Content-Type", _login(), ProblemType.NOT_JSON, headers={})
    other = {"X-Content-Type": "application/json", "Accept": "application/json"}
    yield _post("the type in other headers", _login(), ProblemType.NOT_JSON, headers=other)


# --- what is looked for


def pages() -> Iterator[BadRequest]:
    for limit in (
        *("", "0", "-1", "%2B1", "101", "1000", "1.0", "1e1", "%201", "1%20", "0x1", "01", "1,2", "1%00", "1%0A"),
        *("NaN", "null", "true", "%D9%A1", "%EF%BC%91", "%C2%B2", "%FF", "9" * 4000, f"{MARK}", "1;2"),
    ):
        yield BadRequest(f"limit {limit[:20]}", "GET", f"/connections?limit={limit}", ProblemType.BAD_PAGE)
    yield BadRequest("two limits", "GET", "/connections?limit=1&limit=2", ProblemType.BAD_PAGE)
    old = base64.urlsafe_b64encode(json.dumps(["2026-01-01T00:00:00.000Z", NOBODYS]).encode()).decode()
    for name, token in {
        "empty": "",
        "a word": MARK,
        "base64 of JSON": old,
        "an empty list": "W10=",
        "great depth": base64.urlsafe_b64encode(b"[" * 3000).decode(),
        "the first year, east of Greenwich": base64.urlsafe_b64encode(
            json.dumps(["0001-01-01T00:00:00+23:59", NOBODYS]).encode()
        ).decode(),
        "no id": "1795334280125.",
        "no time": f".{NOBODYS}",
        "a short time": f"179533428012.{NOBODYS}",
        "a long time": f"17953342801250.{NOBODYS}",
        "a time before all": f"-795334280125.{NOBODYS}",
        "an id in capitals": f"1795334280125.{NOBODYS.upper()}",
        "a newline behind": f"1795334280125.{NOBODYS}%0A",
        "two": f"1795334280125.{NOBODYS},1795334280125.{NOBODYS}",
        "Arabic digits": "%D9%A1" * 13 + f".{NOBODYS}",
        "very long": MARK * 700,
    }.items():
        yield BadRequest(f"nextToken: {name}", "GET", f"/connections?nextToken={token}", ProblemType.BAD_PAGE)


def ids() -> Iterator[BadRequest]:
    for name, id_ in {
        "a stranger": NOBODYS,
        "a word": MARK,
        "capitals": NOBODYS.upper(),
        "one short": NOBODYS[:-1],
        "one long": NOBODYS + "a",
        "digits that are none of base32": "con_" + "1" * 26,
        "another prefix": "acc_" + "a" * 26,
        "a loginId": LOGIN_ID,
        "a NUL": "%00",
        "a NUL behind": f"{NOBODYS}%00",
        "a newline behind": f"{NOBODYS}%0A",
        "a blank before": f"%20{NOBODYS}",
        "Cyrillic": "con_" + "%D0%B0" * 26,
        "broken UTF-8": "%FF%FE",
        "half a percent sign": "%",
        "an emoji": "%F0%9F%94%91",
        "longer than a key may be": "x" * 3000,
        "a wildcard": "*",
        "SQL": "1'%20OR%20'1'='1",
        "an expression": "$%7Bjndi:" + MARK + "%7D",
        "null": "null",
    }.items():
        yield BadRequest(f"an id: {name}", "GET", f"/connections/{id_}", ProblemType.NO_SUCH_CONNECTION)


def routes() -> Iterator[BadRequest]:
    for method, path in (
        *(
            ("GET", path)
            for path in ("/", "/favicon.ico", "/Connections", "/connection", f"/{MARK}", "/connections/a/b")
        ),
        *(("GET", path) for path in ("/connect-sessions", "/$default", "/.well-known/openid-configuration")),
        *(("POST", path) for path in (f"/connections/{NOBODYS}", "/connect-sessions/x", "/connect_sessions", "/")),
        *((method, "/connections") for method in ("PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", MARK.upper())),
        *((method, f"/connections/{NOBODYS}") for method in ("PUT", "DELETE", "PATCH")),
        *((method, "/connect-sessions") for method in ("PUT", "DELETE", "PATCH")),
    ):
        yield BadRequest(f"{method} {path}", method, path, NOT_FOUND)
    yield BadRequest("a stranger on no route", "GET", f"/{MARK}", NOT_FOUND, authorization=_always(None))


# --- who asks


def _signed(issuer: Issuer, key: Any = None, algorithm: str = "RS256", **headers: Any) -> str:
    """A token with alice's claims; `headers` add to those of the issuer, None leaves one out."""
    claims = jwt.decode(issuer.token("alice"), options={"verify_signature": False})
    named = {name: value for name, value in {"kid": "local-1", **headers}.items() if value is not None}
    own_key = issuer._key  # noqa: SLF001 - a forger's tokens are made with more than an issuer offers
    return jwt.encode(claims, key or own_key, algorithm=algorithm, headers=named)


def _by_hand(header: Any, claims: Any, signature: bytes = b"") -> str:
    parts = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature))


def _hmac(issuer: Issuer, secret: bytes, **headers: Any) -> str:
    """HS256 over alice's claims; by hand, because PyJWT refuses a public key as a secret."""
    claims = jwt.decode(issuer.token("alice"), options={"verify_signature": False})
    unsigned = _by_hand({"alg": "HS256", "typ": "JWT", "kid": "local-1", **headers}, claims).rstrip(".")
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(unsigned.encode(), secret)
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _public_pem(issuer: Issuer) -> bytes:
    public = issuer._key.public_key()  # noqa: SLF001 - what everybody can read, in the other spelling
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _jwk(issuer: Issuer) -> bytes:
    return json.dumps(requests.get(f"{issuer.url}/jwks.json", timeout=10).json()["keys"][0]).encode()


def _edited(issuer: Issuer, **claims: Any) -> str:
    """A good token whose claims were changed afterwards."""
    header, payload, signature = issuer.token("alice").split(".")
    known = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return ".".join([header, _by_hand({}, known | claims).split(".")[1], signature])


_STRANGERS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_STRANGERS_CURVE = ec.generate_private_key(ec.SECP256R1())
_NOW = int(time.time())


def _alices_claims(issuer: Issuer) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(issuer.token("alice"), options={"verify_signature": False})
    return claims


TOKENS: dict[str, Callable[[Issuer], str]] = {
    "expired": lambda i: i.token("alice", exp=_NOW - 60),
    "expired long ago": lambda i: i.token("alice", exp=0),
    "expired before time began": lambda i: i.token("alice", exp=-1),
    "not yet valid": lambda i: i.token("alice", nbf=_NOW + 3600),
    "without an expiry": lambda i: i.token("alice", exp=None),
    "with a word for an expiry": lambda i: i.token("alice", exp=MARK),
    "of another issuer": lambda i: i.token("alice", iss=f"https://{MARK}.example"),
    "of the issuer with a slash": lambda i: i.token("alice", iss=f"{i.url}/"),
    "of no issuer": lambda i: i.token("alice", iss=None),
    "for another audience": lambda i: i.token("alice", aud=MARK),
    "for other audiences": lambda i: i.token("alice", aud=[MARK, "x"]),
    "for an audience that begins like ours": lambda i: i.token("alice", aud=f"{AUDIENCE}-{MARK}"),
    "for our audience in capitals": lambda i: i.token("alice", aud=AUDIENCE.upper()),
    "for no audience": lambda i: i.token("alice", aud=None),
    "for an empty audience": lambda i: i.token("alice", aud=""),
    "alg none": lambda i: _by_hand({"alg": "none", "typ": "JWT"}, _alices_claims(i)),
    "alg None with a kid": lambda i: _by_hand({"alg": "None", "kid": "local-1"}, _alices_claims(i)),
    "alg none with the signature left on": lambda i: (
        _by_hand({"alg": "none"}, _alices_claims(i)).rstrip(".") + "." + i.token("alice").split(".")[2]
    ),
    "no alg": lambda i: _by_hand({"kid": "local-1"}, _alices_claims(i)),
    "HS256 with the public key": lambda i: _hmac(i, _public_pem(i)),
    "HS256 with the JWK": lambda i: _hmac(i, _jwk(i)),
    "HS256 with an empty key": lambda i: _hmac(i, b""),
    "HS256 and no kid": lambda i: _hmac(i, _public_pem(i), kid=None),
    "ES256 with a stranger's key": lambda i: _signed(i, _STRANGERS_CURVE, "ES256"),
    "a stranger's signature": lambda i: _signed(i, _STRANGERS_KEY),
    "a stranger's key in the header": lambda i: _signed(
        i, _STRANGERS_KEY, jwk=jwt.algorithms.RSAAlgorithm.to_jwk(_STRANGERS_KEY.public_key(), as_dict=True)
    ),
    "a stranger's key by address": lambda i: _signed(i, _STRANGERS_KEY, jku=f"https://{MARK}.example/jwks.json"),
    "no kid": lambda i: _signed(i, kid=None),
    "an unknown kid": lambda i: _signed(i, kid=MARK),
    "a path for a kid": lambda i: _signed(i, kid="../../../../dev/null"),
    "an empty kid": lambda i: _signed(i, kid=""),
    "no signature": lambda i: i.token("alice").rsplit(".", 1)[0] + ".",
    "half a signature": lambda i: i.token("alice")[:-100],
    "another token's signature": lambda i: i.token("alice").rsplit(".", 1)[0] + "." + i.token("bob").rsplit(".", 1)[1],
    "another subject under the signature": lambda i: _edited(i, sub="bob"),
    "another scope under the signature": lambda i: _edited(i, scope="connections admin"),
    "two parts": lambda i: i.token("alice").rsplit(".", 1)[0],
    "four parts": lambda i: i.token("alice") + "." + MARK,
    "five parts": lambda _: ".".join([MARK] * 5),
    "a header that is no JSON": lambda i: _by_hand(b"{" + MARK.encode(), _alices_claims(i), b"x"),
    "a list for a header": lambda i: _by_hand(["RS256"], _alices_claims(i), b"x"),
    "claims that are no JSON": lambda _: _by_hand({"alg": "RS256", "kid": "local-1"}, MARK.encode(), b"x"),
    "a list of claims": lambda _: _by_hand({"alg": "RS256", "kid": "local-1"}, [MARK], b"x"),
    "null for claims": lambda _: _by_hand({"alg": "RS256", "kid": "local-1"}, None, b"x"),
    "a stranger to base64": lambda _: f"{MARK}!.{MARK}!.{MARK}!",
    "a word": lambda _: MARK,
    "dots": lambda _: "..",
}
"""Tokens that are no good at all, by what is wrong with them."""

SCOPES: dict[str, str | None] = {
    "no scope": None,
    "an empty scope": "",
    "another scope": MARK,
    "our scope in capitals": "CONNECTIONS",
    "a scope that begins like ours": "connections2",
    "a scope that ends like ours": f"{MARK}:connections",
    "ours with a comma": "connections,email",
}

SUBJECTS: dict[str, Any] = {"no subject": None, "an empty subject": "", "257 characters": MARK + "x" * 251}


def _always(value: str | None) -> Callable[[Issuer], str | None]:
    return lambda _: value


def _bearer(token: Callable[[Issuer], str]) -> Callable[[Issuer], str | None]:
    return lambda issuer: f"Bearer {token(issuer)}"


def _claiming(**claims: Any) -> Callable[[Issuer], str | None]:
    return lambda issuer: f"Bearer {issuer.token('alice', **claims)}"


def _lists(name: str, refusal: ProblemType | Gateway, who: Callable[[Issuer], str | None]) -> BadRequest:
    return BadRequest(name, "GET", "/connections", refusal, authorization=who)


def callers() -> Iterator[BadRequest]:
    password = base64.b64encode(f"alice:{MARK}".encode()).decode()
    for name, value in {
        "no header": None,
        "an empty header": "",
        "no token": "Bearer",
        "a blank token": "Bearer ",
        "a password": f"Basic {password}",
        "a digest": f'Digest username="alice", response="{MARK}"',
        "a signature of AWS": f"AWS4-HMAC-SHA256 Credential={MARK}/20261122/ca-central-1/execute-api/aws4_request",
    }.items():
        yield _lists(f"Authorization: {name}", UNAUTHORIZED, _always(value))
    for name, token in TOKENS.items():
        yield _lists(f"a token: {name}", UNAUTHORIZED, _bearer(token))
    for name, scope in SCOPES.items():
        yield _lists(f"a token: {name}", FORBIDDEN, _claiming(scope=scope))
    for name, subject in SUBJECTS.items():
        yield _lists(f"a token: {name}", ProblemType.NO_SUBJECT, _claiming(sub=subject))
    for method, path in (("POST", "/connections"), ("POST", "/connect-sessions"), ("GET", f"/connections/{NOBODYS}")):
        route = f"{method} {path}"
        yield BadRequest(f"{route} without a token", method, path, UNAUTHORIZED, authorization=_always(None))
        yield BadRequest(f"{route} without the scope", method, path, FORBIDDEN, authorization=_claiming(scope="email"))
    yield BadRequest(
        "a token in the query", "GET", f"/connections?access_token={MARK}", UNAUTHORIZED, authorization=_always(None)
    )
    cookie = {"Cookie": f"access_token={MARK}"}
    yield BadRequest(
        "a token in a cookie", "GET", "/connections", UNAUTHORIZED, headers=cookie, authorization=_always(None)
    )


BAD_REQUESTS = [
    *sizes(),
    *encodings(),
    *json_texts(),
    *members(),
    *login_ids(),
    *other_members(),
    *sessions(),
    *media_types(),
    *pages(),
    *ids(),
    *routes(),
    *callers(),
]
