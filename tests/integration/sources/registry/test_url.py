"""A registry's API at a URL: all pages are read, and a part is never taken for the whole (C6)."""

import gzip
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from mcp_optimizer.config import Settings
from mcp_optimizer.domain.models import Catalog
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.open_source import open_source
from mcp_optimizer.sources.registry.memory import ReadingFile, reading_of
from tests.support.registries import Answer, RegistryApi, by_cursor, by_link, by_page, listed, whole

ITEMS = [listed(f"s{number:03}") for number in range(250)]


async def read(url: str, **more: Any) -> Catalog:
    settings = Settings(toolhive_timeout=5).model_copy(update=more)
    catalog = await open_source(url, settings).catalog()
    assert catalog is not None
    return catalog


@pytest.mark.parametrize("answer", [by_cursor, by_page, by_link, whole])
@pytest.mark.parametrize("path", ["/v0/servers", "/v0.1/servers", "", "/", "/v0.1", "/v0/servers?limit=7"])
async def test_c6_every_page_is_read(answer: Answer, path: str) -> None:
    async with RegistryApi(ITEMS[:101], answer) as api:
        catalog = await read(api.url + path)
        assert sorted(entry.name for entry in catalog.entries) == [f"io.example/s{number:03}" for number in range(101)]
        assert catalog.complete
        assert catalog.skipped == ()


@pytest.mark.parametrize("number", [0, 99, 100, 200])
@pytest.mark.parametrize("answer", [by_cursor, by_page, whole])
async def test_c6_numbers_at_the_edge_of_pages(answer: Answer, number: int) -> None:
    async with RegistryApi(ITEMS[:number], answer) as api:
        catalog = await read(f"{api.url}/v0/servers")
        assert (len(catalog.entries), catalog.complete) == (number, True)


async def test_c6_a_document_below_a_prefix_is_no_api() -> None:
    async with RegistryApi(ITEMS[:3], whole, paths=("/team/catalog.json", "/team/v0.1/servers")) as api:
        assert len((await read(f"{api.url}/team/catalog.json")).entries) == 3
        assert api.requests == ["/team/catalog.json?"]
        assert len((await read(f"{api.url}/team")).entries) == 3
        with pytest.raises(SourceError, match="HTTP 404"):
            await read(f"{api.url}/elsewhere/catalog.json")


async def test_c6_a_page_that_is_refused_for_now_is_asked_for_again() -> None:
    async with RegistryApi(ITEMS) as api:
        busy = Response(status_code=429, headers={"retry-after": "0"})
        api.faults = [None, busy, Response(status_code=503), None, Response(status_code=502)]
        catalog = await read(f"{api.url}/v0/servers")
        assert (len(catalog.entries), catalog.complete) == (250, True)
        api.faults = [None, Response(status_code=429, headers={"retry-after": "86400"})]
        assert not (await read(f"{api.url}/v0/servers")).complete


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Response(status_code=404), "HTTP 404"),
        (Response("<html>", media_type="text/html"), "not JSON"),
        (JSONResponse({"servers": 5}), "no list"),
        (JSONResponse({"servers": [listed("x")], "metadata": {"nextCursor": "100"}}), "do not come to an end"),
        (JSONResponse({"servers": [listed("x")], "next": "http://other.example/v0/servers"}), "another host"),
    ],
)
async def test_c6_a_page_that_fails_midway_leaves_a_part(fault: Response, reason: str) -> None:
    async with RegistryApi(ITEMS) as api:
        api.faults = [None, fault]
        catalog = await read(f"{api.url}/v0/servers")
        assert not catalog.complete
        assert len(catalog.entries) >= 100
        assert [reason in item.reason for item in catalog.skipped] == [True]


async def test_c6_a_total_that_changes_while_pages_are_read() -> None:
    def page(total: int, start: int) -> Response:
        return JSONResponse({"servers": ITEMS[start : start + 100], "metadata": {"total": total}})

    async with RegistryApi(ITEMS, by_page) as api:
        api.faults = [page(250, 0), page(249, 100)]
        catalog = await read(f"{api.url}/v0/servers")
        assert (len(catalog.entries), catalog.complete) == (250, True)  # read again from the start
        api.faults = [page(250, 0), page(249, 100), page(250, 0), page(251, 100)]
        catalog = await read(f"{api.url}/v0/servers")
        assert not catalog.complete
        assert "changed while it was read" in catalog.skipped[-1].reason


async def test_c6_a_total_that_is_never_reached() -> None:
    async with RegistryApi(ITEMS[:5], by_page) as api:
        api.faults = [JSONResponse({"servers": ITEMS[:5], "metadata": {"total": 7}})]
        catalog = await read(f"{api.url}/v0/servers")
        assert (len(catalog.entries), catalog.complete) == (5, False)


async def test_c8_an_api_that_takes_latest_for_a_version_is_asked_without() -> None:
    async with RegistryApi(
        ITEMS[:5], lambda api, r: by_cursor(api, r) if "version" not in r.query_params else NONE
    ) as api:
        assert len((await read(f"{api.url}/v0/servers")).entries) == 5
    async with RegistryApi(
        ITEMS[:5], lambda api, r: by_cursor(api, r) if "limit" not in r.query_params else BAD
    ) as api:
        assert len((await read(f"{api.url}/v0/servers")).entries) == 5


NONE, BAD = JSONResponse({"servers": []}), Response(status_code=422)


async def test_p_thousands_of_entries_are_read_with_progress() -> None:
    told: list[tuple[int, int]] = []
    async with RegistryApi([listed(f"s{number}") for number in range(4_000)]) as api:
        begun = time.perf_counter()
        source = open_source(f"{api.url}/v0/servers", Settings())
        catalog = await source.catalog(lambda done, total: told.append((done, total)))
        seconds = time.perf_counter() - begun
    assert catalog is not None
    assert (len(catalog.entries), catalog.complete) == (4_000, True)
    assert told[:2] == [(100, 0), (200, 0)]
    assert told[-1][0] == 4_000
    assert seconds < 12  # 20,000 in under a minute


def day(number: int) -> str:
    return f"2026-01-{number:02}T00:00:00Z"


def urls(catalog: Catalog) -> set[str]:
    return {entry.identity.canonical for entry in catalog.entries}


async def test_c6_later_readings_ask_for_changes_alone_and_give_the_whole() -> None:
    async with RegistryApi([listed(f"s{number:03}", day(1 + 4 * (number > 148))) for number in range(150)]) as api:
        whole = await read(f"{api.url}/v0/servers")
        assert len(api.requests) == 2
        assert await read(f"{api.url}/v0/servers") == whole
        assert len(api.requests) == 3
        assert "updated_since=2026-01-04T23%3A55%3A00Z" in api.requests[-1]
        api.items[3] = listed("s003", day(9), version="2.0.0")
        api.items[4] = listed("s004", day(9), status="deleted")
        api.items[5] = listed("s005", day(9), status="deprecated")
        api.items.append(listed("new", day(9)))
        later = await read(f"{api.url}/v0/servers")
        assert later.complete
        assert urls(later) == (urls(whole) - {"https://s004.example/mcp"}) | {"https://new.example/mcp"}
        assert [entry.name for entry in later.entries if entry.status] == ["io.example/s005"]
        assert later.skipped == ()


@pytest.mark.parametrize("style", ["ignores", "refuses", "no times", "fails midway"])
async def test_c6_where_changes_can_not_be_had_the_whole_is_read(style: str) -> None:
    time_of_change = "" if style == "no times" else day(1)
    async with RegistryApi([listed(f"s{n:03}", time_of_change) for n in range(150)]) as api:
        assert len((await read(f"{api.url}/v0/servers")).entries) == 150
        del api.items[0]
        if style == "ignores":  # everything comes, also what did not change: gone is gone
            api.items[0] = listed("s001", "2025-01-01T00:00:00Z")
            api.offers_updated_since = False
        elif style == "refuses":
            api.faults = [Response(status_code=400)]
        elif style == "fails midway":
            first = JSONResponse({"servers": [listed("x", day(9))], "metadata": {"nextCursor": "100"}})
            api.faults = [first, Response(status_code=404)]
        catalog = await read(f"{api.url}/v0/servers")
        assert (len(catalog.entries), catalog.complete) == (149, True)


async def test_s7_what_holds_a_secret_is_not_kept_and_values_of_variables_are_not(home: Path) -> None:
    item = listed("a", day(1))
    item["server"]["packages"] = [
        {
            "registryType": "oci",
            "identifier": "x/y:1",
            "environmentVariables": [{"name": "KEY", "value": "hunter2"}],
            "runtimeArguments": [{"value": "hunter2"}],
        }
    ]
    item["server"]["remotes"][0]["headers"] = [{"name": "Authorization", "value": "hunter2"}]
    async with RegistryApi([item]) as api:
        await read(f"{api.url}/v0/servers", cache_dir=home)
        (kept,) = (home / "catalogs").iterdir()
        assert b"hunter2" not in gzip.decompress(kept.read_bytes())
        assert len((await read(f"{api.url}/v0/servers", cache_dir=home)).entries) == 2
        kept.write_bytes(b"not gzip")
        assert len((await read(f"{api.url}/v0/servers", cache_dir=home)).entries) == 2
        kept.unlink()
        item["server"]["remotes"][0]["url"] = "https://a.example/mcp?api_key=hunter2"
        await read(f"{api.url}/v0/servers", cache_dir=home)
        assert not list((home / "catalogs").iterdir())


def test_c6_a_reading_is_whole_again_after_a_day(tmp_path: Path) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    file = ReadingFile(tmp_path, "https://r.example/v0/servers")
    assert file.load(now) is None
    reading = reading_of([listed("a", day(1))], now, "https://r.example/v0/servers")
    assert reading is not None
    file.save(reading)
    assert file.load(now) == reading
    assert file.load(now + timedelta(hours=23)) == reading
    assert file.load(now + timedelta(hours=25)) is None
    assert file.load(now - timedelta(hours=1)) is None


@pytest.mark.parametrize("query", ["updated_since=2026-01-01T00:00:00Z", "cursor=100", "page=2"])
async def test_c6_a_url_that_asks_for_a_part_gives_one(query: str) -> None:
    async with RegistryApi(
        [listed(f"s{n:03}", day(5)) for n in range(150)], by_page if "page" in query else by_cursor
    ) as api:
        for _ in range(2):
            catalog = await read(f"{api.url}/v0/servers?{query}")
            assert not catalog.complete
            assert "asks for a part" in catalog.skipped[-1].reason
        assert (await read(f"{api.url}/v0/servers?search=s")).complete
