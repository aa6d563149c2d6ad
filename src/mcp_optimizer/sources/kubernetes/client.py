"""Requests to a Kubernetes API server: whole listings of a kind, every failure in words.

It is asked over plain HTTP with the token of a service account; nothing is watched and nothing changed.
"""

import asyncio
import os
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote

import httpx2

from mcp_optimizer.config import Settings
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.documents import HttpStatusError, fetch_bytes
from mcp_optimizer.sources.json_values import kind_of, label_of, object_of, parse_json, reason_of, text_of
from mcp_optimizer.sources.kubernetes.access import api_server_url, read_token, verification
from mcp_optimizer.sources.kubernetes.items import API_GROUP, ResourceKind
from mcp_optimizer.sources.kubernetes.listing import ResourceListing
from mcp_optimizer.text import redact_url

_VERSIONS: Final = ("v1beta1", "v1alpha1")
_PAGE_SIZE: Final = 500
_MAX_PAGES: Final = 1000
_RESTARTS: Final = 3
"""How often a listing begins again because its pages expired while they were read."""
_TIMEOUT_FACTOR: Final = 12
"""A whole listing may take this many times as long as one request."""
_MAX_SMALL_RESPONSE_BYTES: Final = 64 * 1024
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_GONE: Final = 410


class _Page(NamedTuple):
    items: list[Any]
    following: str
    """The token that the next page is asked with; empty on the last one."""


class KubernetesClient:
    """One API server. Open it with :meth:`opened`, which reads token and certificates again."""

    def __init__(self, url: str, http: httpx2.AsyncClient, *, token: str, settings: Settings) -> None:
        self.label = f"kubernetes {redact_url(url)}"
        self._http = http
        self._has_token = bool(token)
        self._token_file = label_of(str(settings.k8s_token_file))
        self._seconds = settings.toolhive_timeout
        self._max_bytes = settings.max_document_bytes

    @classmethod
    async def opened(cls, settings: Settings, environment: Mapping[str, str] = os.environ) -> Self:
        """A client for the API server that the settings name. Raises :class:`SourceError`; use it in ``async with``."""
        url = api_server_url(settings, environment)
        token = await asyncio.to_thread(read_token, settings, url)
        verify = await asyncio.to_thread(verification, settings, url)
        transport = httpx2.AsyncHTTPTransport(verify=verify, trust_env=False)
        headers = {"accept": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        http = httpx2.AsyncClient(base_url=url, transport=transport, headers=headers, timeout=None, trust_env=False)
        return cls(url, http, token=token, settings=settings)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._http.aclose()

    async def version(self) -> str:
        """The version of the cluster; empty where it does not tell us. Raises :class:`SourceError` if none answers."""
        try:
            answer = await self._get("/version", max_bytes=_MAX_SMALL_RESPONSE_BYTES)
        except HttpStatusError:
            return ""
        return text_of(object_of(answer).get("gitVersion"))

    async def listed(self, kind: ResourceKind, namespace: str, *, only_first: bool = False) -> ResourceListing:
        """All resources of a kind, page after page; with ``only_first`` one of them, to see whether that is allowed.

        Raises nothing: what could not be read is the ``problem``, and what was read before stays (C6).
        """
        deadline = asyncio.get_running_loop().time() + self._seconds * _TIMEOUT_FACTOR
        for version in _VERSIONS:
            path = _path(kind, version, namespace)
            result = ResourceListing(kind, namespace, version=version)
            for _ in range(_RESTARTS):
                try:
                    return await self._pages(path, result, deadline, only_first=only_first)
                except _UnknownKindError:
                    break
                except _ExpiredError:
                    continue
            else:
                return result._replace(problem="its pages expire before they are read")
        return ResourceListing(kind, namespace)

    async def _pages(self, path: str, found: ResourceListing, deadline: float, *, only_first: bool) -> ResourceListing:
        items: list[Any] = []
        following = ""
        seen: set[str] = set()
        problem, forbidden = "", False
        while not problem:
            try:
                page = await self._page(path, following, limit=1 if only_first else _PAGE_SIZE)
            except HttpStatusError as error:
                if error.status == _NOT_FOUND and not following:
                    raise _UnknownKindError from None
                if error.status == _GONE and following:
                    raise _ExpiredError from None
                problem, forbidden = self._refusal(error, found), error.status == _FORBIDDEN
                break
            except SourceError as error:
                problem = reason_of(error)
                break
            items += page.items
            following = page.following
            if not following or only_first:
                break
            if following in seen or len(seen) >= _MAX_PAGES:
                problem = "its pages do not come to an end"
            elif asyncio.get_running_loop().time() > deadline:
                problem = f"it takes longer than {self._seconds * _TIMEOUT_FACTOR:g} s to read"
            seen.add(following)
        return found._replace(items=tuple(items), problem=problem, forbidden=forbidden)

    async def _page(self, path: str, following: str, *, limit: int) -> _Page:
        resume = f"&continue={quote(following, safe='')}" if following else ""
        answer = await self._get(f"{path}?limit={limit}{resume}", max_bytes=self._max_bytes)
        items = object_of(answer).get("items", {})
        if not isinstance(items, list | None):
            raise SourceError(f"{self.label}{path} gave {kind_of(answer)} without a list of `items`")
        token = object_of(object_of(answer).get("metadata")).get("continue")
        if not isinstance(token, str | None) or text_of(token) != (token or ""):
            raise SourceError(f"{self.label}{path} gave {kind_of(token)} that is no token for the next page")
        return _Page(items or [], token or "")

    async def _get(self, path: str, *, max_bytes: int) -> object:
        label = f"{self.label}{label_of(path.partition('?')[0])}"
        data = await fetch_bytes(self._http, path, label=label, max_bytes=max_bytes, seconds=self._seconds)
        return await asyncio.to_thread(parse_json, data, label=label)

    def _refusal(self, error: HttpStatusError, found: ResourceListing) -> str:
        if error.status == _FORBIDDEN:
            scope = f"in namespace {found.namespace}" if found.namespace else "in the whole cluster"
            return f"the permission `list` for {found.kind.plural}.{API_GROUP} {scope} is missing"
        if error.status == _UNAUTHORIZED and self._has_token:
            return f"the API server does not accept the token in {self._token_file}"
        if error.status == _UNAUTHORIZED:
            return f"the API server asks for a token, and there is none in {self._token_file}"
        return reason_of(error)


class _UnknownKindError(Exception):
    """The cluster does not know a kind in a version of the API."""


class _ExpiredError(Exception):
    """The listing that a page belongs to is no longer kept."""


def _path(kind: ResourceKind, version: str, namespace: str) -> str:
    scope = f"namespaces/{quote(namespace, safe='')}/" if namespace else ""
    return f"/apis/{API_GROUP}/{version}/{scope}{kind.plural}"
