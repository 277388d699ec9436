"""The last line of defence against credentials in the journal: pure functions over data.

Whoever writes to the journal must not hand it a credential; what slips through all the same
(an argument list, a URL in an error message, a dumped settings dictionary) is hidden here.
Where text is ambiguous it is rather hidden once too often.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

HIDDEN = "***"

_WORDS = (
    r"(?:password|passwd|passphrase|passwort|pwd|secret(?:[-_]?key)?|(?:access|auth|api)[-_]?token"
    r"|api[-_]?key|access[-_]?key|private[-_]?key|client[-_]?secret)"
)
# A value: in quotes (with escapes), or up to the next blank or separator.
_VALUE = r"""(?:'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|[^\s'"&;,)}\]]+)"""

# Every repetition is bounded, or begins only once in a word: this runs over whatever comes.
# Up to the last "@" of the word: a password that nobody encoded may hold "@", ":" and "/".
_URL_PASSWORD = re.compile(r"(://[^\s:/@'\"]{0,200}):([^\s'\"]{1,500})@")
# https://TOKEN@host: there a lone user name is a token; in database URLs it is only a user.
_URL_TOKEN = re.compile(r"(https?://)[^\s:/@'\"]{1,500}@", re.IGNORECASE)
_OPTION = re.compile(rf"(?<![\w-])(-[\w-]{{0,60}}{_WORDS})(\s+)(?!-)({_VALUE})", re.IGNORECASE)
_ASSIGNED = re.compile(rf"({_WORDS}['\"]?)(\s*[=:]\s*)(?![=:\s])({_VALUE})", re.IGNORECASE)
_IDENTIFIED = re.compile(rf"(\bIDENTIFIED\s+BY\s+|\bPASSWORD\s+(?='))({_VALUE})", re.IGNORECASE)

_FLAG = re.compile(rf"--?[\w-]*{_WORDS}", re.IGNORECASE)
_KEY = re.compile(rf"[\w-]*{_WORDS}", re.IGNORECASE)
# In payloads a key may be the name of a column; only the spelling of settings and of
# environment variables is a credential for certain.
_SETTING = re.compile(r"[A-Z_]*(?:PASSWORD|PASSWD|PASSPHRASE|_PWD|SECRET_KEY|_TOKEN|_SECRET)")


def scrub_text(text: str) -> str:
    """Hide the passwords in one string.

    Args:
        text: Anything: a message, a URL, a command line, SQL.

    Returns:
        The same text with each password replaced by `***`.
    """
    if not text:
        return text
    text = _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", text)
    text = _URL_TOKEN.sub(rf"\1{HIDDEN}@", text)
    text = _OPTION.sub(rf"\1\2{HIDDEN}", text)
    text = _ASSIGNED.sub(rf"\1\2{HIDDEN}", text)
    return _IDENTIFIED.sub(rf"\1{HIDDEN}", text)


def scrub(value: Any, *, keys: bool = False) -> Any:
    """Hide the passwords in every string of a nested value.

    Args:
        value: Mappings, sequences and scalars.
        keys: Hide the string under any key that sounds like a credential, too. Right for
            options and environments; wrong where keys may be names of columns. Keys spelled
            as settings and environment variables are (`PASSWORD`, `PGPASSWORD`) count always.

    Returns:
        The same shape, with each password replaced by `***`.
    """
    secret_key = _KEY if keys else _SETTING
    return _scrubbed(value, lambda key: secret_key.fullmatch(key) is not None)


def hide(value: Any, secrets: Sequence[str]) -> Any:
    """Hide known passwords, however ordinary they look, in every string of a nested value.

    Args:
        value: Mappings, sequences and scalars; keys of mappings stay.
        secrets: The passwords, the longest first.

    Returns:
        The same shape, with each of them replaced by `***` wherever it stands.
    """
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
        return value
    if isinstance(value, Mapping):
        return {key: hide(inner, secrets) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [hide(item, secrets) for item in value]
    return value


def _scrubbed(value: Any, is_secret: Callable[[str], bool]) -> Any:
    if isinstance(value, str):
        return scrub_text(value)
    if isinstance(value, Mapping):
        return {
            key: HIDDEN
            if isinstance(inner, str) and inner and isinstance(key, str) and is_secret(key)
            else _scrubbed(inner, is_secret)
            for key, inner in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return _scrubbed_items(value, is_secret)
    return value


def _scrubbed_items(items: Sequence[Any], is_secret: Callable[[str], bool]) -> list[Any]:
    """An argument list gives the option and its value as two strings."""
    scrubbed: list[Any] = []
    flagged = False
    for item in items:
        if flagged and isinstance(item, str) and not item.startswith("-"):
            scrubbed.append(HIDDEN)
        else:
            scrubbed.append(_scrubbed(item, is_secret))
        flagged = isinstance(item, str) and _FLAG.fullmatch(item) is not None
    return scrubbed
