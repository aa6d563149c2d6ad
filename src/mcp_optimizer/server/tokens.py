"""Who may ask the server, by bearer token, and which groups each sees. Tokens are read from files, stored nowhere."""

import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from mcp_optimizer.config import Settings
from mcp_optimizer.errors import ServeError

ACCESS: Final = "access"
"""Where a request's access is left in the state of its scope."""
_MAX_TOKEN_BYTES: Final = 4096


class Access(NamedTuple):
    """What a caller may see. ``name``: of its token, empty where it has none of its own; ``groups`` None: all."""

    name: str = ""
    groups: frozenset[str] | None = None


FULL_ACCESS: Final = Access()


class AccessToken(NamedTuple):
    """A token, and what it gives access to."""

    secret: str
    access: Access


def read_tokens(settings: Settings) -> tuple[AccessToken, ...]:
    """The tokens that clients may send; none where none is set. Raises ServeError with the token's name and file."""
    tokens: list[AccessToken] = []
    if settings.mcp_token is not None and settings.mcp_token.get_secret_value():
        tokens.append(AccessToken(settings.mcp_token.get_secret_value(), FULL_ACCESS))
    names: set[str] = set()
    for one in settings.mcp_tokens:
        if one.name in names:
            raise ServeError(f"mcp_tokens has two tokens named {one.name}", remedy="give each a name of its own")
        names.add(one.name)
        secret = _secret_in(one.token_file, one.name)
        for other in tokens:
            if hmac.compare_digest(other.secret.encode(), secret.encode()):
                raise ServeError(
                    f"the tokens {other.access.name or 'mcp_token'} and {one.name} are the same",
                    remedy="give each client a token of its own",
                )
        groups = None if one.groups is None else frozenset(one.groups)
        tokens.append(AccessToken(secret, Access(one.name, groups)))
    return tuple(tokens)


def _secret_in(path: Path, name: str) -> str:
    remedy = "write the token, and nothing else, into the file"
    try:
        with path.expanduser().open("rb") as file:
            secret = file.read(_MAX_TOKEN_BYTES + 1).decode().strip()
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ServeError(f"the file {path} of the token {name} can't be read: {reason}", remedy=remedy) from error
    except ValueError:  # the reason would show a part of the token
        raise ServeError(f"the file {path} of the token {name} is not text", remedy=remedy) from None
    if not secret or len(secret) > _MAX_TOKEN_BYTES or not secret.isascii() or any(map(str.isspace, secret)):
        raise ServeError(
            f"the file {path} of the token {name} holds no token: one word of printable ASCII", remedy=remedy
        )
    return secret


def access_of(authorization: str | None, tokens: Sequence[AccessToken]) -> Access | None:
    """What an Authorization header gives access to; None where it holds no token of these.

    Takes as long for a wrong token as for a right one, and for the first as for the last.
    """
    scheme, _, given = (authorization or "").partition(" ")
    value = given.strip().encode("utf-8", "surrogatepass")
    matches = [token.access for token in tokens if hmac.compare_digest(value, token.secret.encode())]
    return matches[0] if matches and scheme.lower() == "bearer" else None
