"""Malformed HTTP on a socket: an answer below 500 or a closed connection, and the server lives."""

from flatbed.tenants.kit.edge.bodies import BodyLayer
from flatbed.tenants.kit.edge.requests import RequestLayer
from tests.api.support import World
from tests.bad_input.asgi import application
from tests.bad_input.wire import listening, statuses

SECONDS = 0.4
"""A body may take this long here; ten seconds in the program."""
PAUSE = 4.0
"""Seconds in which a busy machine answers twenty requests."""
END = b"\r\n\r\n"
HOST = b"Host: flatbed.example\r\n"
TARGETS = (
    b"*",
    b"v1/campaigns",
    b"http://other.example/v1/campaigns",
    b"//v1//campaigns",
    b"/v1/../../etc/passwd",
    b"/v1/%2e%2e/%2e%2e/etc/passwd",
    b"/v1/campaigns/%00",
    b"/v1/campaigns/%",
    b"/v1/campaigns/%zz",
    b"/v1/campaigns/%c0%af",
    b"/v1/campaigns/%ff%fe",
    b"/v1/campaigns/\xff\xfe",
    b"/v1/campaigns/\x00",
    b"/v1/campaigns?limit=%00&cursor=%ff",
    b"/v1/campaigns?" + b"&" * 1_000,
    b"/v1/campaigns?" + b"limit=1&" * 5_000,
    b"/v1/campaigns/" + b"a" * 100_000,
    b"/v1/campaigns?cursor=" + b"a" * 100_000,
    b"/docs/../main.py",
    b"/docs/%2e%2e%2fmain.py",
    b"/problems/%2e%2e",
    b"/" + b"a/" * 20_000,
    b"",
)
METHODS = (b"GETT", b"get", b"TRACE", b"CONNECT", b"PRI", b"\x00", b"A" * 10_000, b"", b"G E T")
HEADERS = (
    b"Content-Length: -1",
    b"Content-Length: a",
    b"Content-Length: 1e3",
    b"Content-Length: 99999999999999999999999999",
    b"Content-Length: 2000000",
    b"Content-Length: 3\r\nContent-Length: 4",
    b"Content-Length: 3\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: gzip",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: \x0bchunked",
    b"Content-Encoding: gzip",
    b"Expect: 100-continue",
    b"Expect: nonsense",
    b"Upgrade: websocket\r\nConnection: Upgrade",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk",
    b"Connection: close, close, keep-alive",
    b"Host: other.example",
    b"Host: a b",
    b"Host:",
    b": nameless",
    b"no colon",
    b" folded: a\r\n b",
    b"X-Folded: a\r\n b",
    b"X-Nul: a\x00b",
    b"X-High: \xff\xfe",
    b"N\x00ul: a",
    b"Bare-Return: a\rb",
    b"X-Long: " + b"a" * 100_000,
    b"\r\n".join(b"X-%d: a" % n for n in range(5_000)),
    b"\r\n".join([b"Cookie: a=b"] * 500),
    b"Authorization: Bearer " + b"a." * 20_000,
    b"Authorization: Bearer a\r\nAuthorization: Bearer b",
    b"Range: bytes=0-1,0-1,0-1",
    b"Accept: " + b"a/b," * 5_000,
)
CHUNKS = (
    b"zz\r\n{}\r\n0\r\n\r\n",
    b"-1\r\n{}\r\n0\r\n\r\n",
    b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    b"2;" + b"a" * 70_000 + b"\r\n{}\r\n0\r\n\r\n",
    b"2\r\n{}{}{}\r\n0\r\n\r\n",
    b"2\r\n{}",
    b"2\r\n{}\r\n",
    b"0\r\nX-Trailer: a\x00\r\n\r\n",
    b"\r\n\r\n",
    b"2 \r\n{}\r\n0\r\n\r\n",
)
BODIES = (
    b"Content-Length: 10\r\n\r\n{}",
    b"Content-Length: 1\r\n\r\n{}GET /healthz HTTP/1.1\r\n\r\n",
    b"Content-Length: 0\r\n\r\n{}",
)
GARBAGE = (
    b"",
    b"\r\n\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /healthz\r\n\r\n",
    b"GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n",
    b"GET /healthz HTTP/1.0\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"GET /healthz HTTP/1.1\n" + b"Host: a\n\n",
    b"\x00" * 10_000,
    b"\xff" * 10_000,
    b"A" * 200_000,
    b"SSH-2.0-client\r\n",
    b'{"jsonrpc": "2.0"}\n',
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)
ALIVE = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def _get(target: bytes, method: bytes = b"GET") -> bytes:
    return method + b" " + target + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"


def _post(rest: bytes) -> bytes:
    start = b"POST /oauth/token HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
    return start + rest


def _all() -> list[bytes]:
    return [
        *GARBAGE,
        *(_get(target) for target in TARGETS),
        *(_get(b"/v1/campaigns", method) for method in METHODS),
        *(_post(header + b"\r\nConnection: close\r\n\r\n{}") for header in HEADERS),
        *(_post(b"Transfer-Encoding: chunked\r\n\r\n" + chunks) for chunks in CHUNKS),
        *(_post(body) for body in BODIES),
    ]


class TestWire:
    """One server for all of it."""

    async def test_no_bytes_on_the_socket_are_answered_with_an_error_of_ours(
        self, world: World
    ) -> None:
        sent = _all()
        refused = 0
        # The server's own layer would wait ten seconds for a body that never comes.
        app = RequestLayer(BodyLayer(application(world), seconds=SECONDS))
        async with listening(app) as server:
            for one in sent:
                answers = statuses(await server.say(one))
                assert all(status < 500 for status in answers), (one[:200], answers)
                refused += any(status >= 400 for status in answers)
            assert statuses(await server.say(ALIVE)) == [200]
        assert len(sent) > 90
        assert refused > 60, refused

    async def test_a_target_or_headers_without_end_are_refused_by_name(self, world: World) -> None:
        async with listening(application(world)) as server:
            long = await server.say(_get(b"/v1/campaigns?cursor=" + b"%20" * 20_000))
            assert (statuses(long), b'"code":"target-too-long"' in long) == ([414], True)
            many = b"\r\n".join(b"X-%d: a" % n for n in range(20_000))
            large = await server.say(_get(b"/healthz").replace(b"\r\n\r\n", b"\r\n" + many + END))
            assert (statuses(large), b'"code":"headers-too-large"' in large) == ([431], True)
            assert statuses(await server.say(ALIVE)) == [200]

    async def test_a_body_that_comes_too_slowly_or_not_at_all_is_not_waited_for(
        self, world: World
    ) -> None:
        app = RequestLayer(BodyLayer(application(world), seconds=SECONDS))
        announced = _post(b"Content-Length: 4\r\nConnection: close\r\n\r\n{")
        async with listening(app) as server:
            late = await server.say(announced, then=b"}  ", pause=SECONDS * 3)
            assert statuses(late) == [408]
            assert b'"code":"body-timeout"' in late
            assert statuses(await server.say(ALIVE)) == [200]

    async def test_requests_in_one_breath_are_answered_one_by_one(self, world: World) -> None:
        keeping = b"GET /v1/campaigns HTTP/1.1\r\nHost: a\r\n\r\n"
        async with listening(application(world)) as server:
            answer = await server.say(keeping * 20 + ALIVE, pause=PAUSE)
            assert statuses(answer) == [401] * 20 + [200]
            garbled = await server.say(keeping * 3 + b"\x00garbage\r\n\r\n", pause=PAUSE)
            assert statuses(garbled)[-1] == 400
            assert max(statuses(garbled)) < 500
            assert statuses(await server.say(ALIVE)) == [200]
