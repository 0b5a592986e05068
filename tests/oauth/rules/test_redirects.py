"""Redirect URIs: a table of tricks and random changes of good ones."""

import re
from typing import Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flatbed.tenants.oauth.rules.redirects import LONGEST, NATIVE, WEB, fault, matches

SITE: Final = "https://app.example.com/callback"
LOCAL: Final = "http://127.0.0.1/callback"
LOCAL_6: Final = "http://[::1]/callback"
PRIVATE: Final = "com.example.app:/callback"

GOOD = {
    WEB: [
        SITE,
        "https://app.example.com/",
        "https://app.example.com:8443/callback",
        "https://app.example.com/callback?tenant=a&mode=b",
        "https://app.example.com/callback/",
        "https://app.example.com/a%20b",
        "https://app.example.com/@me;v=1",
        "https://xn--mller-kva.example/callback",
        "https://1.example/callback",
        "https://app.example.com/" + "a" * (LONGEST - 24),
    ],
    NATIVE: [
        SITE,
        LOCAL,
        LOCAL_6,
        "http://127.0.0.1/",
        PRIVATE,
        "com.example.app:/",
        "de.muster-firma.app2:/oauth/callback?x=1",
    ],
}
BAD = [
    # not absolute, or nothing
    "",
    "/callback",
    "//app.example.com/callback",
    "app.example.com/callback",
    "https:/app.example.com/callback",
    "https:app.example.com/callback",
    "https:///callback",
    "https://",
    "https://app.example.com",
    "https://app.example.com?x=1",
    "https://?x=1",
    # userinfo, fragment, wildcard
    "https://app.example.com@evil.example/callback",
    "https://user:pass@app.example.com/callback",  # pragma: allowlist secret - of nobody
    "https://@app.example.com/callback",
    "https://app.example.com/callback#",
    "https://app.example.com/callback#token",
    "https://*.example.com/callback",
    "https://app.example.com/*",
    # case, port, trailing dot: other spellings of the same
    "HTTPS://app.example.com/callback",
    "https://App.example.com/callback",
    "https://app.example.com:443/callback",
    "https://app.example.com:/callback",
    "https://app.example.com:0/callback",
    "https://app.example.com:08443/callback",
    "https://app.example.com:65536/callback",
    "https://app.example.com:\u0668\u0660/callback",
    "https://app.example.com./callback",
    "https://app..example.com/callback",
    "https://.example.com/callback",
    "https://-app.example.com/callback",
    "https://app_.example.com/callback",
    f"https://{'a' * 64}.example.com/callback",
    f"https://{'a.' * 126}ab/callback",
    # the path
    "https://app.example.com/a/../callback",
    "https://app.example.com/./callback",
    "https://app.example.com/callback/..",
    "https://app.example.com/callback/.",
    "https://app.example.com/..;/callback",
    "https://app.example.com//callback",
    "https://app.example.com//evil.example/callback",
    "https://app.example.com/callback//",
    "https://app.example.com/%2e%2e/callback",
    "https://app.example.com/%2E%2E/callback",
    "https://app.example.com/a%2Fb",
    "https://app.example.com/a%5Cb",
    "https://app.example.com/a%00",
    "https://app.example.com/a%0D%0ASet-Cookie:x",
    "https://app.example.com/%63allback",
    "https://app.example.com/a%c3%a4",
    "https://app.example.com/a%",
    "https://app.example.com/a%2",
    "https://app.example.com/a%?20",
    "https://app.example.com/a%zz",
    "https://app.example.com/a[b]",
    # the query
    "https://app.example.com/callback?",
    "https://app.example.com/callback?code=mine",
    "https://app.example.com/callback?x=1&state=mine",
    "https://app.example.com/callback?iss",
    "https://app.example.com/callback?error=x",
    "https://app.example.com/callback?x=%0A",
    # the host in another writing
    "https://app.example.com%2eevil.example/callback",
    "https://app%2Eexample.com/callback",
    "https://\u0430pp.example.com/callback",
    "https://app.example\u3002com/callback",
    "https://app.ex\u0430mple.com/callback",
    "https://\uff41pp.example.com/callback",
    "https://localhost/callback",
    "https://2130706433/callback",
    "https://0x7f000001/callback",
    "https://017700000001/callback",
    "https://127.1/callback",
    "https://127.0.0.1/callback",
    "https://0x7f.0.0.1/callback",
    "https://0177.0.0.1/callback",
    "https://127.0.0.0x1/callback",
    "https://[::1]/callback",
    "https://[::ffff:127.0.0.1]/callback",
    "https://[fe80::1%25eth0]/callback",
    # white space, controls, backslash
    " https://app.example.com/callback",
    "https://app.example.com/callback ",
    "https://app.example.com/callback\n",
    "https://app.example.com/call\nback",
    "https://app.example.com/call\tback",
    "ht\ttps://app.example.com/callback",
    "https://app.example.com/call\x00back",
    "https://app.example.com\\@evil.example/callback",
    "https:\\\\app.example.com\\callback",
    "https://app.example.com/callback\\",
    "https://app.example.com/<script>",
    'https://app.example.com/"',
    "https://app.example.com/\u202ecallback",
    "https://app.example.com/" + "a" * (LONGEST - 23),
    # other schemes
    "javascript:alert(1)",
    "javascript://app.example.com/%0aalert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "ftp://app.example.com/callback",
    "ws://app.example.com/callback",
    "wss://app.example.com/callback",
    "vbscript:/x",
    "blob:https://app.example.com/x",
    "urn:ietf:wg:oauth:2.0:oob",
    "http://app.example.com/callback",
    # loopback in another writing
    "http://localhost/callback",
    "http://127.0.0.2/callback",
    "http://127.1/callback",
    "http://2130706433/callback",
    "http://0x7f.0.0.1/callback",
    "http://0177.0.0.1/callback",
    "http://127.0.0.1./callback",
    "http://127.0.0.1:/callback",
    "http://127.0.0.1:0/callback",
    "http://127.0.0.1:80/callback",
    "http://127.0.0.1:65536/callback",
    "http://127.0.0.1:08080/callback",
    "http://127.0.0.1@evil.example/callback",
    "http://127.0.0.1.evil.example/callback",
    "http://[0:0:0:0:0:0:0:1]/callback",
    "http://[::0001]/callback",
    "http://[::ffff:127.0.0.1]/callback",
    "http://[::1%25lo]/callback",
    "http://::1/callback",
    "http://[::]/callback",
    "http://0.0.0.0/callback",
    # private-use schemes
    "myapp:/callback",
    "com.example.app:callback",
    "com.example.app://callback",
    "com.example.app:///callback",
    "com.example.app:",
    "Com.example.app:/callback",
    "com..app:/callback",
    ".example:/callback",
    "1.example:/callback",
    "com.example.app:/callback#x",
    "com.example.app:/../callback",
]
TRICKS = [
    SITE + "/",
    SITE + "?",
    SITE + "?x=1",
    SITE + "#",
    SITE + "%20",
    SITE + "\n",
    SITE + "\t",
    SITE + " ",
    SITE + "\x00",
    " " + SITE,
    SITE + ".evil.example",
    SITE[:-1],
    "",
    "https://app.example.com/Callback",
    "HTTPS://app.example.com/callback",
    "https://APP.example.com/callback",
    "https://app.example.com:443/callback",
    "https://app.example.com:8443/callback",
    "https://app.example.com./callback",
    "https://user@app.example.com/callback",
    "https://app.example.com@evil.example/callback",
    "https://app.example.com\\@evil.example/callback",
    "https://evil.example\\.app.example.com/callback",
    "https://app.example.com/x/../callback",
    "https://app.example.com/./callback",
    "https://app.example.com//callback",
    "https://app.example.com/%63allback",
    "https://app.example.com/call%62ack",
    "https://app.example.com%2fcallback",
    "https://\u0430pp.example.com/callback",
    "https://app.example.com/\uff43allback",
    "https://evil.example/callback",
    "https://evil.example/?https://app.example.com/callback",
    "https://app.example.com.evil.example/callback",
    "http://app.example.com/callback",
    "//app.example.com/callback",
    f"{SITE},https://evil.example/",
    f"{SITE} https://evil.example/",
]
LOCAL_TRICKS = [
    "http://127.0.0.1:0/callback",
    "http://127.0.0.1:/callback",
    "http://127.0.0.1:65536/callback",
    "http://127.0.0.1:99999/callback",
    "http://127.0.0.1:100000/callback",
    "http://127.0.0.1:080/callback",
    "http://127.0.0.1:-1/callback",
    "http://127.0.0.1:+80/callback",
    "http://127.0.0.1:8_0/callback",
    "http://127.0.0.1: 80/callback",
    "http://127.0.0.1:80 /callback",
    "http://127.0.0.1:80\n/callback",
    "http://127.0.0.1:\u0668\u0660/callback",
    "http://127.0.0.1:\uff18\uff10/callback",
    "http://127.0.0.1:0x50/callback",
    "http://127.0.0.1:80:80/callback",
    "http://127.0.0.1:80@evil.example/callback",
    "http://127.0.0.1:80\\@evil.example/callback",
    "http://127.0.0.1:80/callback/",
    "http://127.0.0.1:80/callback?x=1",
    "http://127.0.0.1:80/callback#x",
    "http://127.0.0.1:80/callback\n",
    "http://127.0.0.1:80/x/../callback",
    "http://127.0.0.1:80//callback",
    "http://127.0.0.1:80callback",
    "http://127.0.0.1:80",
    "https://127.0.0.1:80/callback",
    "http://localhost:80/callback",
    "http://127.0.0.2:80/callback",
    "http://127.1:80/callback",
    "http://2130706433:80/callback",
    "http://0x7f000001:80/callback",
    "http://0177.0.0.1:80/callback",
    "http://127.0.0.1.:80/callback",
    "http://127.0.0.1.evil.example:80/callback",
    "http://[0:0:0:0:0:0:0:1]:80/callback",
    "http://[::ffff:127.0.0.1]:80/callback",
    "http://[::1%25lo]:80/callback",
    "http://::1:80/callback",
    "HTTP://127.0.0.1:80/callback",
    "com.example.app:80/callback",
    "com.example.app://callback",
]
KINDS = st.sampled_from([WEB, NATIVE])
SPECIAL = st.sampled_from(
    [*"/\\:@?#%.[]*&;+\n\t\r\x00 \u0430eE0", "//", "..", "%2e", "@evil", ":80"]
)


class TestRegistered:
    """What an application may register."""

    @pytest.mark.parametrize(
        ("kind", "uri"), [(k, uri) for k, found in GOOD.items() for uri in found]
    )
    def test_one_spelling_of_each_form_is_taken(self, kind: str, uri: str) -> None:
        assert fault(uri, kind, sandbox=False) is None
        assert fault(uri, kind, sandbox=True) is None

    @pytest.mark.parametrize("kind", [WEB, NATIVE])
    @pytest.mark.parametrize("uri", BAD, ids=ascii)
    def test_every_other_spelling_is_refused(self, uri: str, kind: str) -> None:
        assert fault(uri, kind, sandbox=False)
        if kind == NATIVE:
            assert fault(uri, kind, sandbox=True)

    def test_loopback_and_private_schemes_are_not_for_servers(self) -> None:
        for uri in (LOCAL, LOCAL_6, PRIVATE):
            for sandbox in (False, True):
                assert fault(uri, WEB, sandbox=sandbox)

    def test_a_developers_machine_stands_for_the_server_in_a_sandbox_alone(self) -> None:
        for uri in ("http://127.0.0.1:3000/callback", "http://[::1]:3000/callback"):
            assert fault(uri, WEB, sandbox=True) is None
            assert fault(uri, WEB, sandbox=False)
            assert fault(uri, NATIVE, sandbox=True)
        for port in ("", ":", ":0", ":80", ":65536", ":03000"):
            assert fault(f"http://127.0.0.1{port}/callback", WEB, sandbox=True)
        assert fault("http://localhost:3000/callback", WEB, sandbox=True)
        assert fault("http://app.example.com:3000/callback", WEB, sandbox=True)

    @given(st.text(max_size=60), KINDS, st.booleans())
    def test_what_is_taken_is_one_line_of_visible_ascii_and_of_an_allowed_scheme(
        self, text: str, kind: str, sandbox: bool
    ) -> None:
        for uri in (text, f"https://{text}", SITE + text, LOCAL + text, PRIVATE + text):
            if fault(uri, kind, sandbox=sandbox) is None:
                assert re.fullmatch(r"[!-~]+", uri)
                assert not set(uri) & set('#*\\<>"^`{|}')
                assert uri.startswith(
                    ("https://", "http://127.0.0.1", "http://[::1]", PRIVATE[:17])
                )
                assert ".." not in uri.split("/")


class TestMatches:
    """Whether what was sent is registered."""

    @pytest.mark.parametrize("kind", [WEB, NATIVE])
    @pytest.mark.parametrize("sent", TRICKS, ids=ascii)
    def test_no_trick_passes_for_a_registered_one(self, sent: str, kind: str) -> None:
        assert matches([SITE], SITE, kind)
        assert not matches([SITE], sent, kind)

    @pytest.mark.parametrize("sent", LOCAL_TRICKS, ids=ascii)
    def test_of_a_native_loopback_nothing_but_the_port_may_differ(self, sent: str) -> None:
        assert not matches([LOCAL, LOCAL_6, PRIVATE], sent, NATIVE)

    @given(st.integers(1, 65535), st.sampled_from([LOCAL, LOCAL_6]))
    def test_a_native_loopback_takes_every_port(self, port: int, uri: str) -> None:
        sent = uri.replace("/callback", f":{port}/callback")
        assert matches([PRIVATE, uri], sent, NATIVE)
        assert not matches([PRIVATE, uri], sent, WEB)
        other = LOCAL_6 if uri == LOCAL else LOCAL
        assert not matches([PRIVATE, other], sent, NATIVE)

    def test_without_a_port_it_is_the_registered_one(self) -> None:
        assert matches([LOCAL], LOCAL, NATIVE)

    def test_a_port_of_a_server_is_part_of_its_uri(self) -> None:
        registered = ["http://127.0.0.1:3000/callback", "https://app.example.com:8443/callback"]
        assert all(matches(registered, one, WEB) for one in registered)
        for sent in ("http://127.0.0.1:3001/callback", "http://127.0.0.1/callback", SITE):
            assert not matches(registered, sent, WEB)
            assert not matches(registered, sent, NATIVE)

    def test_a_machine_has_none(self) -> None:
        assert not matches([SITE], SITE, "service")
        assert not matches([], "", WEB)

    def test_a_part_of_a_uri_is_not_the_uri(self) -> None:
        assert not matches(SITE, SITE[:-3], WEB)

    @given(
        st.integers(0, len(SITE)), SPECIAL, st.sampled_from([SITE, LOCAL, LOCAL_6, PRIVATE]), KINDS
    )
    def test_whatever_is_put_in_it_is_another_uri(
        self, place: int, added: str, uri: str, kind: str
    ) -> None:
        sent = uri[:place] + added + uri[place:]
        assume(sent != uri.replace("/call", ":80/call"))
        assert not matches([SITE, LOCAL, LOCAL_6, PRIVATE], sent, kind)

    @given(st.text(max_size=80), KINDS)
    def test_what_is_registered_nowhere_matches_nothing(self, sent: str, kind: str) -> None:
        assume(sent not in {SITE, LOCAL})
        assert not matches([SITE, LOCAL], sent, kind)
