"""Texts of any kind without credentials: messages, descriptions, reasons, JSON. One pass for all of them (S7)."""

import functools
import re
from collections.abc import Iterator
from typing import Any, Final

from mcp_optimizer.redaction.credentials import (
    MASK,
    MAYBE_TOKEN,
    TOKEN,
    Suspicion,
    is_placeholder,
    is_user_and_password,
    is_varied,
    looks_random,
    suspicion,
    words_of,
)
from mcp_optimizer.redaction.urls import USERINFO, is_credential, redact_url

_MARKS: Final = re.compile(r"[=:@]|--|bearer|basic|[_.-][A-Za-z0-9]|AKIA|ASIA|AIza|ABIA|ACCA|eyJ|ATATT", re.IGNORECASE)
"""A text without any of these holds nothing to redact; quick to see."""
_NAME_PARTS: Final = re.compile(
    r"key|tok|sec|pass|pw|auth|cred|bearer|jwt|cookie|sig|sess|code|access|pin|otp|hash|hmac|ticket|nonce|state|sas|sid"
    r"|pat|login|verifier|assertion|invite|share|license|webhook|connectionstring",
    re.IGNORECASE,
)
_SCHEME_WORD: Final = re.compile(r"bearer|basic|token|digest|apikey", re.IGNORECASE)
_URL_START: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://")
_USERINFO: Final = re.compile(USERINFO.format(stop=r"\s"))
_USERINFO_END: Final = re.compile(r"[@\s]")
_LONGEST_USERINFO: Final = 8192
"""Characters; an ``@`` further away belongs to something else."""
_URL_REST: Final = re.compile(r"[^\s\"'<>`]*")
_BARE_USERINFO: Final = re.compile(
    r"(?<![\w@:./-])(?:[A-Za-z][\w+.-]{0,30}:?/{1,3}|[A-Za-z][\w+.-]{0,30}:)?([\w.+%-]{1,64}):([^\s:@/\"'<>,]{1,256})"
    r"@(?![A-Za-z][\w+.-]*:[0-9a-fA-F]{16})(?=[\w-]+(?:\.[\w-]+)+|[A-Za-z][\w-]*(?:[:/]|$))"
)
_EXAMPLE_USER: Final = re.compile(
    r"(?i)[^/]*//(?:user(?:name)?:pass(?:word)?|(?-i:USER(?::PASSWORD)?(?=@HOST))|<[\w: -]+>(?::<[\w -]+>)?"
    r"|\{[\w:{} -]+\})@[^?#]*$"
)
_USER_OPTION: Final = re.compile(r"(?<!\S)(-u|--user|--proxy-user)([ =][\"']?)([^\s:\"']+):([^\s\"']+)")
_NO_USERS: Final = words_of("mailto email mail contact from to cc bcc sip xmpp acct author npx uvx npm pypi go")
_SCHEMES: Final = re.compile(
    r"(?i)\b(bearer|basic|token|digest|apikey)(\s+|%20)"
    r"(?!(?:realm|error|scope|resource_metadata)=)([^\s\"'`<>,;\\]+)"  # a challenge holds no token
)
_AUTHORIZATION: Final = re.compile(
    r"(?i)\b((?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)((?:[a-z][\w-]*\s+)?)([^\s\"'`<>,;\\]+)"
)
_NAMED: Final = re.compile(
    r"(?<![\w.-])(?:(?P<option>--[A-Za-z][\w.-]{0,63})\s+|(?P<name>-{0,2}[A-Za-z][\w.-]{0,63})[\"']?(?P<separator>\s{0,3}(?:=>|:=|[=:])\s{0,3}))"
    r"(?:\"(?P<double>[^\"\\\n]{1,4096})\"|'(?P<single>[^'\\\n]{1,4096})'|(?P<bare>(?:(?!&[\w.-]+=)[^\s\"'`<>\\|])+))"
)
_COOKIES: Final = re.compile(r"(?i)\b((?:set-)?cookie[\"']?\s*:\s*)(?:[^\s\"'`<>\\=;]+=[^\s\"'`<>\\;]+(?:;\s*)?)+")
_WORDS: Final = words_of(
    "string str text none null true false undefined token tokens bearer basic auth oauth oauth2 required "
    "optional header authentication authorization key keys value secret password passwd api scheme jwt "
    "access your the a an with via and or is are using for to in of from as if not no any type object "
    "number integer bool boolean default field env environment variable param parameter query must should "
    "can be it on based format int float uuid base64 sha256 hex invalid missing expired wrong denied "
    "unauthorized failed only empty set unset "
)
_PLAIN_WORD: Final = re.compile(r"[A-Za-z]+(?:[-_/][A-Za-z]+)*|v?[0-9.,:%-]{1,11}|[A-Z][A-Z0-9_]*")
_CLOSING: Final = {")": "(", "]": "[", "}": "{"}
_SHORT_NAME: Final = 64
"""Characters of a member's name that is worth remembering."""
_SHORTEST: Final = 5
"""Characters of a credential that a text may be trusted to mean as one."""


def redact_text(text: str) -> str:
    """``text`` with a mask for every credential in it: URLs, headers, ``NAME=value``, tokens of known makers.

    Prose about credentials ("token: the API token to use") and placeholders stay as they are.
    """
    if not _MARKS.search(text):
        return text
    parts: list[str] = []
    end = 0
    for start, stop in _url_ranges(text) if "://" in text else ():
        parts += [_redacted_prose(text[end:start]), _redact_url(text[start:stop])]
        end = stop
    redacted = "".join([*parts, _redacted_prose(text[end:])])
    return text if redacted == text else redacted


def _redacted_prose(text: str) -> str:
    """A text without URLs, redacted."""
    if "-" in text and ":" in text:
        text = _USER_OPTION.sub(_without_option, text)
    if "@" in text and ":" in text:
        text = _BARE_USERINFO.sub(_without_user, text)
    if _NAME_PARTS.search(text):
        text = _AUTHORIZATION.sub(_public_authorization, text)
        text = _COOKIES.sub(lambda found: f"{found[1]}{MASK}", text)
        text = _without_named(text)
    if _SCHEME_WORD.search(text):
        text = _SCHEMES.sub(_public_scheme, text)
    return (
        TOKEN.sub(lambda found: MASK if is_varied(found[0]) else found[0], text) if MAYBE_TOKEN.search(text) else text
    )


def _without_named(text: str) -> str:
    """A text with a mask for the value of every name that is a credential's."""
    parts: list[str] = []
    end = 0
    match = _NAMED.search(text)
    while match is not None:
        group = next(name for name in ("double", "single", "bare") if match[name] is not None)
        start, value = match.start(group), match[group]
        if group == "bare":
            value = _bare(value)
        name, separator = match["name"] or match["option"], match["separator"] or ""
        if value and _is_named_credential(name, value, quoted=group != "bare", assigned="=" in separator):
            parts += [text[end:start], MASK]
            end = start + len(value)
            match = _NAMED.search(text, max(end, start + 1))
        else:  # the value may itself begin a name and a value
            match = _NAMED.search(text, match.start(group))
    return "".join([*parts, text[end:]]) if parts else text


def redact_json[T](value: T) -> T:
    """``value`` (anything ``json.loads`` gives) with every text in it redacted; the same object where nothing is."""
    return _redacted(value, "")


def _redacted_name(name: str) -> str:
    """A member's name; short ones come again and again."""
    return _redacted_short_name(name) if len(name) <= _SHORT_NAME else redact_text(name)


@functools.lru_cache(maxsize=4096)
def _redacted_short_name(name: str) -> str:
    """The same, remembered: the members of all tools are named much alike."""
    return redact_text(name)


def _redacted(value: Any, name: str) -> Any:
    if isinstance(value, str):
        if name and " " not in value and _is_named_credential(name, value, quoted=True):
            return MASK
        return redact_text(value)
    if isinstance(value, dict):
        members = [(_redacted_name(key), _redacted(member, key)) for key, member in value.items()]
        same = all(name == key and new is value[key] for (name, new), key in zip(members, value, strict=True))
        return value if same else dict(members)
    if isinstance(value, list):
        items = [_redacted(item, "") for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def _bare(value: str) -> str:
    """A value without what ends the sentence, or the bracket, that it stands in."""
    while value and (value[-1] in ".,;:!?" or (value[-1] in _CLOSING and _CLOSING[value[-1]] not in value)):
        value = value[:-1]
    return value


def _url_ranges(text: str) -> Iterator[tuple[int, int]]:
    """Where URLs begin and end, in linear time: the ``@`` behind many of them is looked for once, not by each."""
    end, mark = 0, -1
    while (start := _URL_START.search(text, end)) is not None:
        end = start.end()
        if mark < end:
            following = _USERINFO_END.search(text, end)
            mark = len(text) if following is None else following.start()
        near = mark - end <= _LONGEST_USERINFO
        if near and text[mark : mark + 1] == "@" and (user := _USERINFO.match(text, end)) is not None:
            end = user.end()
        rest = _URL_REST.match(text, end)
        end = end if rest is None else rest.end()
        yield start.start(), end


def _redact_url(url: str) -> str:
    """A URL in a text; what ends the sentence behind it is none of it."""
    bare = _bare(url)
    if _EXAMPLE_USER.match(bare):
        return url
    shown = redact_url(bare)
    return url if shown == bare else shown + url[len(bare) :]


def _without_user(found: re.Match[str]) -> str:
    user, password = found[1], found[2]
    if user.lower() in _NO_USERS or is_placeholder(password) or password.lower() in _WORDS:
        return found[0]
    start = found.start(1) - found.start()
    return found[0][:start] + f"{MASK}@"


def _without_option(found: re.Match[str]) -> str:
    """``curl -u USER:PASSWORD``."""
    password = found[4]
    known = is_placeholder(password) or password.lower() in _WORDS or password.isdigit()
    return found[0] if known else f"{found[1]}{found[2]}{MASK}"


def _public_authorization(found: re.Match[str]) -> str:
    head, scheme, value = found[1], found[2], found[3]
    if not scheme and value.lower() in {"bearer", "basic", "token"}:
        return found[0]
    bare = _bare(value)
    if is_placeholder(bare) or bare.lower() in _WORDS or len(bare) < _SHORTEST:
        return found[0]
    return f"{head}{scheme}{MASK}{value[len(bare) :]}"


def _public_scheme(found: re.Match[str]) -> str:
    scheme, gap, value = found[1], found[2], found[3]
    bare = _bare(value)
    kind = scheme.lower()
    if is_placeholder(bare) or bare.lower() in _WORDS:
        return found[0]
    if kind == "basic" and not is_user_and_password(bare):
        return found[0]
    if kind == "bearer" and _PLAIN_WORD.fullmatch(bare):
        return found[0]
    if kind not in {"bearer", "basic"} and not looks_random(bare):
        return found[0]
    return f"{scheme}{gap}{MASK}{value[len(bare) :]}"


def _is_named_credential(name: str, value: str, *, quoted: bool = False, assigned: bool = False) -> bool:
    """Whether the value of a name is a credential, as it stands in a text: prose explains more than it gives away."""
    level = suspicion(name.lstrip("-"))
    if level is Suspicion.NONE or is_placeholder(value) or value.lower() in _WORDS:
        return False
    if level is Suspicion.AMBIGUOUS:
        return is_credential(name.lstrip("-"), value)
    if assigned:
        return not re.match(r"[A-Za-z_.]+\(|[A-Za-z_]+\.[a-z_]+", value) or looks_random(value)
    if quoted and " " in value:
        return False
    if _PLAIN_WORD.fullmatch(value):
        return bool(re.fullmatch(r"[A-Za-z]+-[A-Za-z]+-[A-Za-z-]+", value)) and "-" in name
    return len(value) >= _SHORTEST and any(c.isdigit() or not c.isalnum() for c in value)
