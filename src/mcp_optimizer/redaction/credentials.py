"""What looks like a credential: by whole words of its name, and by the look of the value. Pure (S7)."""

import base64
import binascii
import functools
import re
from enum import IntEnum
from typing import Final


class Suspicion(IntEnum):
    """What a name says of its value."""

    NONE = 0
    AMBIGUOUS = 1
    """``key``, ``session``, ``code`` …: a credential only where the value looks like one."""
    CREDENTIAL = 2
    """``password``, ``api_key`` …: whatever the value is."""


def words_of(text: str) -> frozenset[str]:
    """The words of ``text``."""
    return frozenset(text.split())


_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")
_CREDENTIALS: Final = words_of(
    "password passwd pass pw passwort passphrase passcode pwd secret secrets token credential credentials jwt bearer "
    "authorization cookie signature apikey accesskey secretkey privatekey authkey authtoken accesstoken "
    "refreshtoken idtoken apitoken sessiontoken clientsecret apisecret pgpassword userpassword connectionstring "
    "dbpassword userpass passkey masterkey csrftoken xsrftoken bottoken usertoken consumersecret consumerkey "
    "apppassword secretaccesskey encryptionkey signingkey sharedkey accountkey accesscode subscriptionkey"
)
_AMBIGUOUS: Final = words_of(
    "key keys session sessionid jsessionid phpsessid sessid sid sig sign code auth access cred creds pin otp totp hmac "
    "sas ticket pat login assertion verifier tokens passwords cookies webhook invite share license appkey"
)
_OF_KEYS: Final = words_of(
    "api access secret private auth authentication authorization account master subscription encryption signing "
    "service ssh deploy deployment storage admin shared functions"
)
"""Words that make a key a credential where they stand before it; ``project`` or ``public`` do not."""
_TAILS: Final = words_of("value val v string str text header hash base hex new old current raw plain env file_value")
"""Words behind the one that decides: a ``token_value`` is a token, a ``token_type`` is none."""


@functools.lru_cache(maxsize=4096)
def suspicion(name: str) -> Suspicion:
    """What ``name`` (of a field, an option, a header, a variable) says of its value."""
    words = [word.lower() for word in _WORD.findall(name)]
    known = [word for word in words if word in _CREDENTIALS or word in _AMBIGUOUS]
    if not known:
        return Suspicion.NONE
    while len(words) > 1 and words[-1] in _TAILS:
        words.pop()
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in _CREDENTIALS or (last in {"key", "keys"} and before in _OF_KEYS) or (last, before) == ("id", "session"):
        return Suspicion.AMBIGUOUS if last == "id" else Suspicion.CREDENTIAL
    return Suspicion.AMBIGUOUS


MASK: Final = "…"
"""Stands where a credential was."""
SEAL: Final = "redacted~"
"""Begins what stands for a credential in an identity: the rest is a keyed hash."""
SEALED: Final = rf"{SEAL}[0-9a-f]{{16}}"
_SEALED: Final = re.compile(SEALED)

_TOKENS: Final = (
    r"gh[pousr]_\w{16,}|github_pat_\w{16,}|gl(?:pat|ptt|dt|rt|soat|agent|sa|ft|cbt)[-_][\w-]{16,}|npm_\w{16,}"
    r"|xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,}|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}|AIza[\w-]{20,}|ya29\.[\w-]{16,}"
    r"|1//0[\w-]{20,}|GOCSPX-[\w-]{16,}|eyJ[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*){0,3}|[sr]k_(?:live|test)_\w{10,}"
    r"|whsec_\w{16,}|pypi-[\w-]{30,}|hf_\w{20,}|dop_v1_\w{16,}|shp(?:at|ss|ca|pa)_\w{16,}|SG\.[\w-]{16,}\.[\w-]{16,}"
    r"|lin_api_\w{16,}|ntn_\w{16,}|figd_[\w-]{16,}|gsk_\w{16,}|xai-\w{16,}|r8_\w{16,}|pplx-\w{16,}|tvly-[\w-]{16,}"
    r"|sntry[su]_[\w-]{16,}|dapi[0-9a-f]{32}|hv[sb]\.[\w-]{16,}|dckr_pat_[\w-]{16,}|ATATT[\w=-]{16,}|sbp_\w{16,}"
    r"|nvapi-[\w-]{16,}|PMAK-[\w-]{16,}|tskey-[\w-]{12,}|AGE-SECRET-KEY-\w{16,}|NRAK-\w{16,}|pat[A-Za-z0-9]{14}\.\w{32,}"
    r"|[0-9]{8,10}:AA[\w-]{30,}"
)
_MAYBE_TOKENS: Final = r"sk-[\w-]{8,}|key-[\w-]{16,}|secret_\w{16,}|fc-\w{16,}|pk_\w{16,}"
"""Beginnings that words have too: the rest must hold a digit."""
TOKEN: Final = re.compile(
    rf"(?<![A-Za-z0-9_-])(?:{_TOKENS}|(?=[\w-]*[0-9])(?:{_MAYBE_TOKENS}))"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?"
)
MAYBE_TOKEN: Final = re.compile(
    r"gh[pousr]_|_pat_|gl\w+[-_]|npm_|xox|xapp|AKIA|ASIA|ABIA|ACCA|AIza|ya29|1//0|GOCSPX|eyJ|[srp]k[-_]|whsec|pypi-|hf_|dop_"
    r"|shp|SG\.|lin_api|ntn_|figd_|gsk_|xai-|r8_|pplx-|tvly-|sntry|dapi|hv[sb]\.|ATATT|sbp_|nvapi|PMAK|tskey|AGE-|NRAK|pat"
    r"|:AA|key-|secret_|fc-|-BEGIN"
)
"""Stands in everything that :data:`TOKEN` finds; quick to see."""
_FEW_CHARACTERS: Final = 7

_RUN: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_PART: Final = re.compile(r"[A-Za-z0-9]+")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_HEX: Final = re.compile(r"(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{16,}", re.IGNORECASE)
_NO_WORD: Final = re.compile(r"[bcdfghjklmnpqrstvwxz]{6,}", re.IGNORECASE)
_KIND: Final = r"api|access|secret|auth|personal|bot|user|token|key|password|passwd|pass|pw|here|value|id|credential|s"
_PLACEHOLDER: Final = re.compile(
    rf"(?:your|my|the|an?|some|example|sample|dummy|fake|placeholder|insert|replace)(?:[ _-]?(?:{_KIND}|\w+(?=[_-])))+"
    rf"|change[_-]?me|redacted|placeholder|example|[*x.#_\u2022-]{{3,}}|\*+|(?:[\w-]+[_-])?(?:\*{{3,}}|x{{4,}}|\.{{3,}})\w{{0,4}}",
    re.IGNORECASE,
)
_NAMED_KIND: Final = re.compile(rf"(?:{_KIND}|[ _-])+".upper())
_VARIABLE: Final = re.compile(
    r"\{\{?[\w. -]+\}?\}|<[\w. -]+>|\$\{|%7B.+%7D|^\[[\w. -]+\]?$|^\(.*\)$|^%\w+%$|^\$[A-Z]+(?:_[A-Z0-9]+)+$"
    r"|^\$(?:TOKEN|KEY|PASSWORD|SECRET|[a-z_]+)$|^[A-Z]{2,12}(?:_[A-Z]{2,12})+$"
)
"""What a template, a shell or a reader of a manual puts a value into."""


def is_sealed(value: str) -> bool:
    """Whether ``value`` stands for a credential already."""
    return value == MASK or _SEALED.fullmatch(value) is not None


def is_token(value: str) -> bool:
    """Whether the whole of ``value`` begins as tokens of a known maker do."""
    match = TOKEN.match(value)
    return match is not None and is_varied(match[0])


def is_varied(token: str) -> bool:
    """Whether it has enough different characters to be more than an example such as ``ghp_xxxxxxxx``."""
    return len(set(token)) > _FEW_CHARACTERS


def is_placeholder(value: str) -> bool:
    """Whether ``value`` says what is to be put in its place: ``{TOKEN}``, ``<key>``, ``YOUR_API_KEY``, ``xxxx``."""
    return (
        not value
        or is_sealed(value)
        or _PLACEHOLDER.fullmatch(value) is not None
        or _NAMED_KIND.fullmatch(value) is not None
        or _VARIABLE.search(value) is not None
    )


def looks_random(value: str) -> bool:
    """Whether ``value`` was made by a machine: a UUID, a digest, base64, a long number, or letters without a word."""
    if _UUID.fullmatch(value):
        return True
    parts = _PART.findall(value)
    return any(_is_random(part) for part in parts) or (len(parts) > 1 and _is_base64(value, parts))


def _is_random(part: str) -> bool:
    if len(part) < 12:
        return False
    if _HEX.fullmatch(part) or (part.isdigit() and len(part) >= 16) or _NO_WORD.search(part):
        return True
    runs = len(_RUN.findall(part))
    return runs >= 4 and runs / len(part) >= 0.28


def _is_base64(value: str, parts: list[str]) -> bool:
    """Base64 is cut into short parts by its ``+``, ``/`` and ``_``."""
    whole = "".join(parts)
    runs = sum(len(_RUN.findall(part)) for part in parts)
    mixed = any(c.isupper() for c in whole) and any(c.islower() for c in whole) and any(c.isdigit() for c in whole)
    return mixed and len(whole) >= 16 and " " not in value and runs / len(whole) >= 0.38


def is_user_and_password(value: str) -> bool:
    """Whether ``value`` is base64 of ``USER:PASSWORD``, as the scheme Basic has it."""
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in decoded and decoded.isascii()
