"""Pages for people: HTML without a script, under a policy that would not run one.

Templates escape what they are given. ``t`` in a template is a text of the page's language.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from babel.dates import format_skeleton
from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.edge.cookies import cookie_of
from flatbed.tenants.pages import csrf
from flatbed.tenants.pages.texts import LANGUAGES, NAMES, Language, accepted, chosen, text

FOLDER: Final = Path(__file__).parent
STYLE: Final = (FOLDER / "static" / "flatbed.css").read_bytes()
STYLE_PATH: Final = f"/assets/flatbed-{hashlib.sha256(STYLE).hexdigest()[:16]}.css"
BEFORE: Final = "__Host-flatbed-pre"
"""The cookie of a browser that has not signed in: what its forms are bound to."""
LOCALES: Final = "ui_locales"
# Of the module: each is compiled once in a process.
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_DATES: Final[Mapping[Language, str]] = {"en": "en_GB", "de": "de"}
"""Whose dates a language has: days before months, also in English."""
SEE_OTHER: Final = 303
# With `no-referrer`, which all other answers have, browsers say `Origin: null` of a form's sender.
REFERRER: Final = "same-origin"
_COOKIE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
"""32 bytes, as :meth:`Pages.reader` makes them: nothing of another length gets into an HMAC."""
_SOURCE: Final = re.compile(r"[a-z][a-z0-9+.-]*:(//[a-z0-9.-]+(:[0-9]{1,5})?)?")
# The two kinds of binding must not pass for each other: a browser chooses its first cookie.
_NOBODY: Final = b"before:"
_SOMEBODY: Final = b"session:"


class UnsafeSourceError(ValueError):
    """A form was to lead to what is no single origin: it would open the whole policy."""


def set_cookie(response: Response, name: str, value: str) -> None:
    """A cookie of our own: never over plain HTTP, in no script, not sent by another site's form."""
    response.set_cookie(name, value, path="/", secure=True, httponly=True, samesite="lax")


def drop_cookie(response: Response, name: str) -> None:
    """Take the cookie away again."""
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")


def see_other(place: str) -> RedirectResponse:
    """Go on with a GET. ``place`` was checked by whoever calls."""
    return RedirectResponse(place, SEE_OTHER)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks at a page: his language, and what the page's forms are bound to."""

    language: Language
    binding: bytes = field(repr=False)
    fresh_cookie: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Pages:
    """Renders pages and checks their forms; made once (``app.state.pages``).

    ``origin`` is the deployment's public one, which a request cannot change.
    """

    keyring: Keyring
    origin: str

    @classmethod
    def of(cls, keyring: Keyring, public_url: str) -> Self:
        """The pages of a deployment."""
        parts = urlsplit(public_url)
        return cls(keyring, f"{parts.scheme}://{parts.netloc}")

    def reader(
        self, request: Request, *, binding: bytes | None = None, locale: str | None = None
    ) -> Reader:
        """The reader of a request.

        Args:
            request: the request.
            binding: of his session; None: he has not signed in, and has or gets a cookie for that.
            locale: the language of his account.
        """
        language = (
            chosen(request.query_params.get(LOCALES))
            or chosen(locale)
            or accepted(request.headers.get("accept-language", ""))
        )
        if binding is not None:
            return Reader(language, _SOMEBODY + binding)
        cookie = cookie_of(request, BEFORE)
        if cookie is not None and _COOKIE.fullmatch(cookie):
            return Reader(language, _NOBODY + cookie.encode())
        fresh = secrets.token_urlsafe(32)
        return Reader(language, _NOBODY + fresh.encode(), fresh)

    def render(
        self,
        request: Request,
        reader: Reader,
        template: str,
        *,
        status: int = 200,
        form_action: str | None = None,
        headers: Mapping[str, str] | None = None,
        **context: Any,  # noqa: ANN401 - what each template takes
    ) -> HTMLResponse:
        """A page.

        Args:
            request: the request that it answers.
            reader: who looks.
            template: the file's name.
            status: of the response.
            form_action: one more origin to which a form may lead by a redirect, or the scheme of
                an application.
            headers: more of them.
            context: what the template takes.

        Raises:
            UnsafeSourceError: ``form_action`` is neither.
        """
        place = csrf.place_of(request)
        html = _TEMPLATES.get_template(template).render(
            t=partial(text, reader.language),
            language=reader.language,
            others=[
                (code, NAMES[code], _in_language(request, code))
                for code in LANGUAGES
                if code != reader.language
            ],
            style=STYLE_PATH,
            place=place,
            csrf=csrf.made_for(self.keyring, reader.binding, place),
            csrf_for=partial(self.csrf, reader),
            moment=partial(_moment, reader.language),
            **context,
        )
        own = {"Content-Security-Policy": _policy(form_action), "Referrer-Policy": REFERRER}
        response = HTMLResponse(html, status, headers={**own, **(headers or {})})
        if reader.fresh_cookie is not None:
            set_cookie(response, BEFORE, reader.fresh_cookie)
        return response

    def csrf(self, reader: Reader, place: str) -> str:
        """The hidden field of a form that is sent to another place than its page."""
        return csrf.made_for(self.keyring, reader.binding, place)

    def check(self, request: Request, reader: Reader, fields: Mapping[str, str]) -> None:
        """Refuse a form that this reader did not send from our page.

        Raises:
            ForgedFormError: he did not.
        """
        csrf.check(request, fields, self.keyring, reader.binding, self.origin)


def _policy(form_action: str | None) -> str:
    if form_action is not None and not _SOURCE.fullmatch(form_action):
        raise UnsafeSourceError
    targets = f"'self' {form_action}" if form_action else "'self'"
    return (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none';"
        f" form-action {targets}; frame-ancestors 'none'"
    )


def _in_language(request: Request, language: Language) -> str:
    asked = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    pairs = [(name, value) for name, value in asked if name != LOCALES]
    return f"{csrf.path_of(request)}?{urlencode([*pairs, (LOCALES, language)])}"


def _moment(language: Language, at: datetime) -> str:
    """Day and minute in UTC, as the language writes them."""
    day = format_skeleton("yMMMd", at, tzinfo=UTC, locale=_DATES[language])
    return f"{day}, {at.astimezone(UTC):%H:%M} UTC"
