"""What an ingestion takes away, and when that needs a yes (C9)."""

import pytest

from mcp_optimizer.domain.loss import Loss, loss_of
from mcp_optimizer.domain.models import Workload
from tests.support.builders import identity


def stored(name: str, registry_server: str | None = None) -> Workload:
    where = identity(f"example.org/{name}:1")
    return Workload(id=name, name=name, identity=where, registry_server_id=registry_server)


def loss(entries: int, removed: int, links: int = 0, ended: int = 0) -> Loss:
    return Loss(
        entries=entries,
        removed=tuple(f"e{number}" for number in range(removed)),
        links=links,
        ended=tuple(f"w{number}" for number in range(ended)),
    )


@pytest.mark.parametrize(
    ("lost", "needs"),
    [
        (loss(100, 20), False),
        (loss(100, 21), True),
        (loss(19, 19), True),
        (loss(3, 3), False),
        (loss(4, 4), True),
        (loss(15, 3), False),
        (loss(19, 4), True),
        (loss(20, 4), False),
        (loss(100, 1, 10, 1), False),
        (loss(100, 1, 1, 1), False),
        (loss(100, 1, 2, 2), True),
        (loss(100, 2, 20, 2), False),
        (loss(100, 2, 19, 2), True),
        (loss(0, 0, 11, 11), True),
        (loss(0, 0, 0, 0), False),
        (loss(100, 20, 30, 3), False),
        (loss(100, 20, 30, 4), True),
        (Loss(workloads=100, deleted=tuple(map(str, range(21)))), True),
        (Loss(workloads=4, deleted=tuple("abcd")), True),
        (Loss(workloads=20, deleted=tuple("abcd")), False),
        (Loss(workloads=3, deleted=tuple("abc")), False),
    ],
)
def test_c9_more_than_a_fifth_and_three_or_a_tenth_and_one(lost: Loss, needs: bool) -> None:
    assert lost.needs_yes is needs


def test_c9_the_words_give_the_numbers_of_what_is_lost() -> None:
    assert loss(24, 19, 11, 11).words == "remove 19 of 24 entries and end 11 of 11 links"
    assert loss(24, 19, 11).words == "remove 19 of 24 entries"
    assert loss(24, 0, 11, 2).words == "end 2 of 11 links"


def test_c9_who_agreed_to_a_loss_agreed_to_a_smaller_one_and_to_no_other() -> None:
    assert loss(24, 5, 11, 2).within(loss(24, 6, 11, 3))
    assert loss(24, 5).within(loss(24, 5))
    assert not loss(24, 6).within(loss(24, 5))
    assert not loss(24, 5, 11, 3).within(loss(24, 5, 11, 2))


def test_c9_a_link_ends_where_a_workload_stays_and_is_autonomous() -> None:
    linked = [stored(name, "r") for name in "abc"]
    own = stored("own")
    unlinked = linked[1].model_copy(update={"registry_server_id": None, "registry_server_name": None})
    after = [linked[0], unlinked, own]  # the third is deleted: that ends no link
    found = loss_of(entries=7, removed=[], before=[*linked, own], after=after)
    assert found == Loss(entries=7, links=3, ended=("b",))


def test_c9_nothing_is_lost_where_nothing_goes() -> None:
    own = stored("own")
    assert loss_of(entries=7, removed=[], before=[own], after=[own]) is None
    assert loss_of(entries=0, removed=[], before=[], after=[own]) is None


def test_c9_what_a_file_does_not_name_is_lost_with_its_link() -> None:
    linked = [stored(name, "r") for name in "abc"]
    own = stored("own")
    found = loss_of(entries=7, removed=[], before=[*linked, own], after=[linked[0]], deleted=[own, *linked[1:]])
    assert found == Loss(entries=7, links=3, ended=("b", "c"), workloads=4, deleted=("b", "c", "own"))
    assert found.words == "delete 3 of 4 workloads and end 2 of 3 links"
    assert not found.within(Loss(entries=7, links=3, ended=("b", "c"), workloads=4, deleted=("b", "c")))
