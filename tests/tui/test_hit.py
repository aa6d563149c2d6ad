"""A search's hit in detail says why it was found (Q3)."""

from mcp_optimizer.tui.details.hit import hit_document
from tests.tui import sample


def test_q3_a_hit_says_its_ranks_scores_and_which_words_matched_where() -> None:
    hit = sample.hit("create_issue", "github-prod", 1).model_copy(
        update={
            "text_score": 6.239,
            "coverage": 0.5,
            "matched": {"name": ("issue",), "description": ("issue", "place")},
        }
    )
    lines = hit_document(hit, 76)
    fields = {line.plain[:14].strip(): line.plain[14:] for line in lines}
    assert fields["text"] == "rank 1, score 6.24, 50% of the query's words"
    assert (fields["name"], fields["description"]) == ("issue", "issue, place")
    (described,) = (line for line in lines if line.plain == hit.description)
    assert [described.plain[span.start : span.end] for span in described.spans if "underline" in str(span.style)] == [
        "issue",
        "place",
    ]


def test_q3_a_hit_by_meaning_alone_has_no_words() -> None:
    hit = sample.hit("list_issues", "github-prod", 2)
    lines = hit_document(hit, 76)
    assert "text          not found" in [line.plain for line in lines]
    assert not any("underline" in str(span.style) for line in lines for span in line.spans)
