"""Queries, fit to be stored."""

from hypothesis import given
from hypothesis import strategies as st

from mcp_optimizer.domain.search.queries import query_record


def test_secrets_in_urls_are_cut() -> None:
    record = query_record("find_tool", "get https://me:pw@host/x?token=abc please", keywords="https://a:b@c/")
    assert record.text == "get https://host/x?token=… please"
    assert "b@" not in record.keywords


@given(st.text(st.characters(), max_size=300))
def test_any_text_is_one_printable_line(text: str) -> None:
    record = query_record("find_tool", text, keywords=text, error=text, request_id=text)
    assert all(kept.isprintable() for kept in (record.text, record.keywords, record.error or "", record.request_id))
    record.model_dump_json().encode()


def test_a_query_of_megabytes_is_cut() -> None:
    assert len(query_record("find_tool", "x" * 10_000_000).text) == 1000
