"""One HTTP request to a host we trust little."""

import datetime as dt
import logging
import socket
import ssl
import tracemalloc
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landing import trust_store
from landing.flinks.wire import Fault, Reply, Wire
from tests.unit.scripted_host import Script, ScriptedHost, dripping, gzipped, reply, reset_after

LONG_ENOUGH = 30.0
SOON = 0.3
MEGABYTE = 1024 * 1024


@pytest.fixture
def host() -> Iterator[ScriptedHost]:
    with ScriptedHost() as host:
        yield host


@pytest.fixture
def wire() -> Wire:
    return Wire(connections=2, max_bytes=MEGABYTE)


def ask(wire: Wire, host: ScriptedHost, seconds: float = LONG_ENOUGH) -> Reply:
    return wire.send("GET", f"{host.url}/path", {"x-api-key": "key"}, None, seconds)


def test_a_whole_answer_is_read(wire: Wire, host: ScriptedHost) -> None:
    host.script = reply({"a": 1}, status=401, Retry_After="7")

    answer = ask(wire, host)

    assert answer == Reply(401, "7", b'{"a": 1}')


def test_a_gzipped_answer_is_inflated(wire: Wire, host: ScriptedHost) -> None:
    host.script = gzipped(b"plain")

    answer = ask(wire, host)

    assert answer.content == b"plain"


def test_a_large_answer_that_finds_no_memory_beside_the_others_is_a_fault(host: ScriptedHost) -> None:
    wire = Wire(connections=2, max_bytes=4 * MEGABYTE)
    host.script = reply("x" * 4 * MEGABYTE)
    held = [ask(wire, host) for _ in range(2)]
    beyond = [ask(wire, host, seconds=2.0) for _ in range(2)]
    for answer in held:
        assert answer.place is not None
        answer.place.shrink(0)

    after = ask(wire, host)

    assert [answer.fault for answer in held] == [None, None]
    assert beyond[-1] == Reply(200, fault=Fault.NO_ROOM)
    assert len(after.content) == 4 * MEGABYTE


def test_an_answer_that_broke_off_takes_up_no_memory(host: ScriptedHost) -> None:
    wire = Wire(connections=2, max_bytes=4 * MEGABYTE)
    whole = reply("x" * 4 * MEGABYTE)
    host.script = reset_after(whole[:-1])
    broken = [ask(wire, host) for _ in range(5)]
    host.script = whole

    answer = ask(wire, host, seconds=LONG_ENOUGH)

    assert {each.fault for each in broken} == {Fault.UNREACHABLE}
    assert len(answer.content) == 4 * MEGABYTE


def test_a_connection_serves_again(wire: Wire, host: ScriptedHost) -> None:
    host.script = reply("first")
    ask(wire, host)
    host.script = reply("second")

    answer = ask(wire, host)

    assert (answer.content, host.connections) == (b"second", 1)


@pytest.mark.parametrize(
    "at_once",
    [pytest.param(0, id="status line"), pytest.param(30, id="headers"), pytest.param(90, id="body")],
)
def test_a_drip_ends_at_the_deadline_though_every_byte_comes_in_time(
    wire: Wire, host: ScriptedHost, at_once: int
) -> None:
    host.script = dripping(reply("x" * 200), at_once)

    answer = ask(wire, host, seconds=SOON)

    assert answer.fault is Fault.TIMEOUT


def test_an_endless_greeting_ends_at_the_deadline(wire: Wire, host: ScriptedHost) -> None:
    def greet(sock: socket.socket, _request: bytes) -> None:
        while True:
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    host.script = greet

    answer = ask(wire, host, seconds=SOON)

    assert answer == Reply(fault=Fault.TIMEOUT)


def test_silence_ends_at_the_deadline(wire: Wire, host: ScriptedHost) -> None:
    def wait(sock: socket.socket, _request: bytes) -> None:
        sock.recv(1)

    host.script = wait

    answer = ask(wire, host, seconds=SOON)

    assert answer == Reply(fault=Fault.TIMEOUT)


def test_a_slow_answer_leaves_the_next_one_its_full_time(wire: Wire, host: ScriptedHost) -> None:
    host.script = dripping(reply("slow"), at_once=len(reply("slow")) - 4)
    ask(wire, host, seconds=1)

    answer = ask(wire, host)

    assert (answer.content, host.connections) == (b"slow", 1)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(b"", id="closed without a word"),
        pytest.param(reset_after(b""), id="reset before the status line"),
        pytest.param(reset_after(reply("whole")[:20]), id="reset in the headers"),
        pytest.param(reset_after(reply("whole")[:-2]), id="reset in the body"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort", id="shorter than it said"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nsho", id="ended inside a chunk"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", id="not HTTP at all"),
    ],
)
def test_what_is_cut_short_is_no_answer(wire: Wire, host: ScriptedHost, script: Script) -> None:
    host.script = script

    answer = ask(wire, host)

    assert (answer.fault, answer.content) == (Fault.UNREACHABLE, b"")


def test_a_host_that_is_not_there_is_unreachable(wire: Wire) -> None:
    with ScriptedHost() as host:
        pass

    answer = ask(wire, host)

    assert answer == Reply(fault=Fault.UNREACHABLE)


def test_a_host_that_does_not_take_the_call_is_unreachable(wire: Wire) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as caller:
        caller.connect(full.getsockname())

        answer = wire.send("GET", f"http://127.0.0.1:{full.getsockname()[1]}/", {}, None, SOON)

    assert answer == Reply(fault=Fault.UNREACHABLE)


def test_a_name_that_does_not_exist_is_unreachable(wire: Wire) -> None:
    answer = wire.send("GET", "http://no-such-host.invalid/", {}, None, LONG_ENOUGH)

    assert answer == Reply(fault=Fault.UNREACHABLE)


def test_a_certificate_nobody_vouches_for_is_refused(wire: Wire, certificate: Path) -> None:
    with ScriptedHost(reply("trust me"), tls=serving(certificate)) as host:
        answer = wire.send("GET", f"https://127.0.0.1:{host.port}/", {}, None, LONG_ENOUGH)

    assert (answer, host.requests) == (Reply(fault=Fault.UNREACHABLE), [])


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate)


def test_a_certificate_of_another_host_is_refused(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_store, "context", lambda: trusting(certificate))
    wire = Wire(connections=2, max_bytes=MEGABYTE)
    with ScriptedHost(reply("trust me"), tls=serving(certificate)) as host:
        answer = wire.send("GET", f"https://localhost:{host.port}/", {}, None, LONG_ENOUGH)

    assert (answer, host.requests) == (Reply(fault=Fault.UNREACHABLE), [])


def test_a_drip_over_tls_ends_at_the_deadline_too(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_store, "context", lambda: trusting(certificate))
    wire = Wire(connections=2, max_bytes=MEGABYTE)
    with ScriptedHost(reply("whole"), tls=serving(certificate)) as host:
        whole = wire.send("GET", f"https://127.0.0.1:{host.port}/", {}, None, LONG_ENOUGH)
        host.script = dripping(reply("x" * 200), at_once=90)

        dripped = wire.send("GET", f"https://127.0.0.1:{host.port}/", {}, None, SOON)

    assert (whole.content, dripped.fault) == (b"whole", Fault.TIMEOUT)


def test_a_body_over_the_cap_is_given_up(wire: Wire, host: ScriptedHost) -> None:
    host.script = reply(b"x" * (MEGABYTE + 1))

    answer = ask(wire, host)

    assert answer == Reply(200, fault=Fault.TOO_LARGE)


def test_a_body_at_the_cap_is_read(wire: Wire, host: ScriptedHost) -> None:
    host.script = reply(b"x" * MEGABYTE)

    answer = ask(wire, host)

    assert len(answer.content) == MEGABYTE


def test_a_gzip_bomb_is_given_up_before_it_is_in_memory(wire: Wire, host: ScriptedHost) -> None:
    host.script = gzipped(b"\0" * (64 * MEGABYTE))
    tracemalloc.start()

    answer = ask(wire, host)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.fault is Fault.TOO_LARGE
    assert peak < 8 * MEGABYTE


def test_a_body_that_is_not_the_gzip_it_claims_is_unreadable(wire: Wire, host: ScriptedHost) -> None:
    host.script = reply("plain", Content_Encoding="gzip")

    answer = ask(wire, host)

    assert answer == Reply(200, fault=Fault.UNREADABLE)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_no_header_elsewhere(wire: Wire, host: ScriptedHost, status: int) -> None:
    with ScriptedHost(reply("caught")) as elsewhere:
        host.script = reply("", status=status, Location=f"{elsewhere.url}/trap")

        answer = ask(wire, host)

    assert answer == Reply(status, fault=Fault.REDIRECTED)
    assert elsewhere.connections == 0


def test_the_body_of_a_redirect_is_not_waited_for(wire: Wire, host: ScriptedHost) -> None:
    head = reply("", status=302, Location="/", Content_Length="99999999")
    host.script = lambda sock, _request: sock.sendall(head)

    answer = ask(wire, host, seconds=1)

    assert answer.fault is Fault.REDIRECTED


def test_proxies_and_logins_of_the_environment_are_ignored(
    wire: Wire, host: ScriptedHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password something")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    host.script = reply("direct")

    answer = ask(wire, host)

    assert answer.content == b"direct"
    assert b"authorization" not in host.requests[0].lower()


def test_a_cookie_is_not_carried_to_the_next_person(wire: Wire, host: ScriptedHost) -> None:
    host.script = reply("", Set_Cookie="session=of-someone-else; Path=/")
    ask(wire, host)

    ask(wire, host)

    assert b"cookie" not in host.requests[1].lower()


def test_no_log_tells_where_a_request_went(wire: Wire, host: ScriptedHost, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "urllib3.connectionpool", "urllib3.util.retry", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    malformed_header = b"HTTP/1.1 200 OK\r\nno colon here\r\ncontent-length: 0\r\n\r\n"
    for host.script in (reply("whole"), malformed_header, b"", reply("", status=302, Location="/path")):
        ask(wire, host)

    logging.getLogger("urllib3.connectionpool").debug("someone else's request")

    assert "someone else's request" in caplog.text
    assert "path" not in caplog.text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    head=st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
    | st.lists(
        st.sampled_from(
            [
                b"Content-Length: -1",
                b"Content-Length: 1, 2",
                b"Content-Length: 9" + b"9" * 5000,
                b"Content-Encoding: gzip, gzip, deflate",
                b"Content-Encoding: br",
                b"Transfer-Encoding: chunked",
                b"Set-Cookie: a=b; expires=never; Max-Age=x",
                b"Location: http://[",
                b"Retry-After: \xff",
                b"X" * 70000,
            ]
        )
    ).map(lambda lines: b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", b""])),
    tail=st.binary(max_size=64),
)
def test_whatever_a_host_says_is_a_reply(wire: Wire, head: bytes, tail: bytes) -> None:
    def say_and_close(sock: socket.socket, _request: bytes) -> None:
        sock.sendall(head + tail)
        sock.close()

    with ScriptedHost(say_and_close) as host:
        answer = ask(wire, host)

    assert isinstance(answer, Reply)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Key and certificate of 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    path = tmp_path / "host.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


def serving(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
