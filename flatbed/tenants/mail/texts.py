"""The messages that people get, in German and English.

Each says whom it is from, puts its link on a line of its own, says how long that lasts, and what
to do if one did not expect it. Pure.
"""

import re
import unicodedata
from typing import Final, Literal

from flatbed.tenants.mail.port import Kind, Language, Message, Notice

LONGEST_NAME: Final = 80
_Asking = Literal["invitation", "password-reset"]
# Marks that turn the direction of what follows: a name must not turn the text beside it.
_TURNS: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SUBJECTS: Final[dict[Kind, dict[Language, str]]] = {
    "invitation": {
        "en": "{organization} invites you to Flatbed",
        "de": "{organization} lädt Sie zu Flatbed ein",
    },
    "password-reset": {
        "en": "A new password for Flatbed",
        "de": "Ein neues Passwort für Flatbed",
    },
    "password-changed": {
        "en": "Your Flatbed password was changed",
        "de": "Ihr Passwort bei Flatbed wurde geändert",
    },
    "second-factor-on": {
        "en": "Your Flatbed account has a second factor now",
        "de": "Ihr Konto bei Flatbed hat jetzt einen zweiten Faktor",
    },
    "second-factor-off": {
        "en": "Your Flatbed account has no second factor any more",
        "de": "Ihr Konto bei Flatbed hat keinen zweiten Faktor mehr",
    },
    "recovery-codes-made": {
        "en": "New recovery codes for your Flatbed account",
        "de": "Neue Wiederherstellungscodes für Ihr Konto bei Flatbed",
    },
}
_TEXTS: Final[dict[_Asking, dict[Language, str]]] = {
    "invitation": {
        "en": """\
Hello,

"{organization}" invites you to work with them on Flatbed. Accept here:

{link}

The link works once, and for {lasts}.

If you did not expect this, do nothing: no account is made without you.

Flatbed, for {organization}
""",
        "de": """\
Guten Tag,

„{organization}“ lädt Sie ein, auf Flatbed mitzuarbeiten. Hier nehmen Sie an:

{link}

Der Link gilt einmal und {lasts} lang.

Haben Sie das nicht erwartet, so tun Sie nichts: Ohne Sie entsteht kein Konto.

Flatbed, für {organization}
""",
    },
    "password-reset": {
        "en": """\
Hello,

somebody asked for a new password for your account at Flatbed. Choose it here:

{link}

The link works once, and for {lasts}.

If that was not you, do nothing: your password stays as it is.

Flatbed
""",
        "de": """\
Guten Tag,

jemand hat für Ihr Konto bei Flatbed ein neues Passwort angefordert. Hier wählen Sie es:

{link}

Der Link gilt einmal und {lasts} lang.

Waren Sie das nicht, so tun Sie nichts: Ihr Passwort bleibt, wie es ist.

Flatbed
""",
    },
}
_HAPPENED: Final[dict[Notice, dict[Language, str]]] = {
    "password-changed": {
        "en": """\
the password of your account at Flatbed was changed. Everybody who was signed in with the old
one has been signed out, and applications must ask again.""",
        "de": """\
das Passwort Ihres Kontos bei Flatbed wurde geändert. Wer noch mit dem alten angemeldet war,
ist es nicht mehr, und Anwendungen müssen neu fragen.""",
    },
    "second-factor-on": {
        "en": """\
a second factor was set up for your account at Flatbed: signing in needs a code of that app as
well. All other browsers have been signed out.""",
        "de": """\
für Ihr Konto bei Flatbed wurde ein zweiter Faktor eingerichtet: Wer sich anmeldet, braucht auch
einen Code dieser App. Alle anderen Browser wurden abgemeldet.""",
    },
    "second-factor-off": {
        "en": """\
the second factor of your account at Flatbed was taken away: your password alone is enough to sign
in. Its recovery codes are void, and applications must ask again.""",
        "de": """\
der zweite Faktor Ihres Kontos bei Flatbed wurde entfernt: Zum Anmelden genügt Ihr Passwort. Seine
Wiederherstellungscodes gelten nicht mehr, und Anwendungen müssen neu fragen.""",
    },
    "recovery-codes-made": {
        "en": """\
new recovery codes were made for your account at Flatbed. The old ones are void.""",
        "de": """\
für Ihr Konto bei Flatbed wurden neue Wiederherstellungscodes erzeugt. Die alten
gelten nicht mehr.""",
    },
}
_IF_NOT_YOU: Final[dict[Language, str]] = {
    "en": """\
Hello,

{happened}

If that was you, there is nothing to do. If not, choose another password at once, and tell the
people who invited you:

{link}

Flatbed
""",
    "de": """\
Guten Tag,

{happened}

Waren Sie das, so ist nichts zu tun. Wenn nicht, wählen Sie sofort ein anderes Passwort, und sagen
Sie es denen, die Sie eingeladen haben:

{link}

Flatbed
""",
}
_UNITS: Final[dict[Language, dict[str, tuple[str, str]]]] = {
    "en": {"days": ("day", "days"), "minutes": ("minute", "minutes")},
    "de": {"days": ("Tag", "Tage"), "minutes": ("Minute", "Minuten")},
}


def invitation(to: str, language: Language, *, organization: str, link: str, days: int) -> Message:
    """An organization, an ISV or the agency, invites a person. The link lasts ``days``."""
    lasts = _lasts(language, "days", days)
    return _message(
        "invitation", to, language, organization=one_line(organization), link=link, lasts=lasts
    )


def password_reset(to: str, language: Language, *, link: str, minutes: int) -> Message:
    """The way to a new password, which somebody asked for. The link lasts ``minutes``."""
    lasts = _lasts(language, "minutes", minutes)
    return _message("password-reset", to, language, link=link, lasts=lasts)


def notice(kind: Notice, to: str, language: Language, *, link: str) -> Message:
    """What has happened. ``link`` is the page where a new password is asked for; no secret."""
    text = _IF_NOT_YOU[language].format(happened=_HAPPENED[kind][language], link=link)
    return Message(kind, to, _SUBJECTS[kind][language], text, language)


def one_line(name: str) -> str:
    """A name of others on one line, without control characters, and not too long."""
    kept = "".join(
        " " if unicodedata.category(letter) in {"Cc", "Zl", "Zp", "Zs"} else letter
        for letter in _TURNS.sub("", name)
        if unicodedata.category(letter) not in {"Cs", "Cn", "Co"}
    )
    line = " ".join(kept.split())
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…"


def _message(kind: _Asking, to: str, language: Language, **values: str) -> Message:
    subject = _SUBJECTS[kind][language].format(**values)
    return Message(kind, to, subject, _TEXTS[kind][language].format(**values), language)


def _lasts(language: Language, unit: str, number: int) -> str:
    one, many = _UNITS[language][unit]
    return f"{number} {one if number == 1 else many}"
