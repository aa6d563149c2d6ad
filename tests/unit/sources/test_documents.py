"""JSON from bytes and files: limits, and failures in words (B)."""

from pathlib import Path

import pytest

from mcp_optimizer.config import Settings
from mcp_optimizer.errors import SourceError
from mcp_optimizer.sources.documents import read_document, read_file
from mcp_optimizer.sources.json_values import JsonObject, clean_json, members, parse_json
from mcp_optimizer.sources.open_source import DocumentSource, UrlSource, open_source
from mcp_optimizer.sources.toolhive.source import ToolHiveSource


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b'{"a": 1', "ends before its JSON is complete .line 1, column 8"),
        (b'{"a": "x', "ends before its JSON is complete"),
        (b'{"a": 1,}\n', "is not JSON: .* line 1, column 9|is not JSON"),
        (b"<html>", "is not JSON: Expecting value, line 1, column 1"),
        (b'\xff\xfe{"', "is not UTF-8 text .byte 0"),
        (b'{"a": "\xc3"}', "is not UTF-8"),
        (b"1" * 5000, "is not usable JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_bad_bytes_are_an_error_with_the_place(data: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        parse_json(data, label="FILE")


def test_good_bytes() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": [NaN, "\\ud800"]}', label="x") == {"a": [None, "\ud800"]}


def test_repeated_keys_are_kept_beside_the_first() -> None:
    value = parse_json(b'{"a": 1, "a": 2, "b": 3}', label="x")
    assert isinstance(value, JsonObject)
    assert dict(value) == {"a": 1, "b": 3}
    assert list(members(value)) == [("a", 1), ("b", 3), ("a", 2)]


def test_clean_json_bounds_depth_and_numbers() -> None:
    assert clean_json({"a\0": [1e999, 10**400, True, "\ud800"]}) == {"a": [None, str(10**400), True, "\ufffd"]}
    deep: list[object] = []
    for _ in range(70):
        deep = [deep]
    with pytest.raises(ValueError, match="nested deeper"):
        clean_json(deep)
    wide = [[n] for n in range(100)]
    assert clean_json(wide) == wide


def test_files_that_can_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="there is no file"):
        read_file(str(tmp_path / "no"), 10)
    with pytest.raises(SourceError, match="there is no file"):
        read_file("a\0b", 10)
    with pytest.raises(SourceError, match="is a directory"):
        read_file(str(tmp_path), 10)
    file = tmp_path / "file"
    file.write_bytes(b"x" * 11)
    with pytest.raises(SourceError, match="larger than 10 bytes"):
        read_file(str(file), 10)
    assert read_file(str(file), 11) == b"x" * 11

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SourceError, match="permission denied"):
        read_file(str(file), 11)


async def test_a_file_is_read_as_json(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text('{"servers": {"a": {"image": "x/y"}}}')
    assert await read_document(str(file), Settings()) == {"servers": {"a": {"image": "x/y"}}}
    source = open_source(str(file), Settings())
    catalog = await source.catalog()
    assert catalog is not None
    assert catalog.entries[0].name == "a"
    assert catalog.source == source.label == str(file)
    assert await source.workloads() is None


def test_what_a_person_names_is_the_source_meant(tmp_path: Path) -> None:
    settings = Settings()
    assert isinstance(open_source(None, settings, state_home=tmp_path), ToolHiveSource)
    assert isinstance(open_source("toolhive", settings, state_home=tmp_path), ToolHiveSource)
    assert isinstance(open_source("unix:///tmp/x.sock", settings), ToolHiveSource)
    assert isinstance(open_source("./toolhive", settings), DocumentSource)
    url = open_source("https://user:hunter2@a.example/x.json?token=hunter2", settings)
    assert isinstance(url, UrlSource)
    assert "hunter2" not in url.label
