"""The limit of tools' results: never over it, in order, nothing cut when it fits, nothing lost unsaid."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_optimizer.domain.tools.response_limit import Item, limited, tokens_up_to
from mcp_optimizer.tokens import count_text_tokens

FRAME = '{"type": "text", "text": ""}'
TEXTS = st.one_of(
    st.text(max_size=40),
    st.builds(lambda word, number: word * number, st.text(min_size=1, max_size=12), st.integers(1, 400)),
)
ITEMS = st.one_of(
    st.builds(lambda text: Item(FRAME, text), TEXTS),
    st.builds(lambda text: Item(f'{{"type": "image", "data": "{text}"}}'), TEXTS),
)


def cost(text: str) -> int:
    return tokens_up_to(text, 10**9, count_text_tokens)


@settings(max_examples=150, deadline=None)
@given(items=st.lists(ITEMS, max_size=6), structured=st.none() | TEXTS, most=st.integers(100, 600))
def test_what_is_passed_on_fits_and_says_what_does_not(items: list[Item], structured: str | None, most: int) -> None:
    kept = limited(items, structured, most=most, count=count_text_tokens, notice_frame=FRAME)
    whole = sum(cost(item.frame) + cost(item.text or "") for item in items) + cost(structured or "")
    if whole <= most:
        assert kept.notice is None
        assert kept.items == tuple((place, None) for place in range(len(items)))
        assert kept.structured == (structured is not None)
        return
    assert kept.notice is not None
    places = [place for place, _ in kept.items]
    assert places == sorted(set(places))
    total = cost(FRAME) + cost(kept.notice) + (cost(structured or "") if kept.structured else 0)
    for place, text in kept.items:
        item = items[place]
        total += cost(item.frame) + cost((item.text or "") if text is None else text)
        if text is not None:
            assert text.endswith("[…]")
            assert (item.text or "").startswith(text.removesuffix("\n[…]"))
    assert total <= most
    assert ("structuredContent is left out" in kept.notice) == (structured is not None and not kept.structured)
    assert f"of {len(items)} content items" in kept.notice


def test_a_long_text_is_shortened_and_an_image_left_out() -> None:
    words = "word " * 5000
    items = [Item(FRAME, "first"), Item('{"data": "' + "QUJD" * 5000 + '"}'), Item(FRAME, words), Item(FRAME, words)]
    kept = limited(items, '{"a": 1}', most=500, count=count_text_tokens, notice_frame=FRAME)
    (first, text) = kept.items[1]
    assert kept.items[0] == (0, None)
    assert first == 2
    assert text is not None
    assert cost(text) > 350
    assert kept.notice == (
        "[Result cut to 500 tokens: 1 of 4 content items are whole, 1 shortened, structuredContent is left out. "
        "Ask the tool for less to see the rest.]"
    )


def test_ten_megabytes_without_a_space_are_counted_in_time() -> None:
    began = time.monotonic()
    kept = limited([Item(FRAME, "A" * 10_000_000)], None, most=100, count=count_text_tokens, notice_frame=FRAME)
    assert len(kept.items) == 1
    assert time.monotonic() - began < 2
