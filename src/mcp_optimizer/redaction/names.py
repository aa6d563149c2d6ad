"""Whether a name is that of a credential: decided by its whole words, never by a part of one (S7)."""

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
