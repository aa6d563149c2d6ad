"""Which session ends where there are too many: the longest idle one."""

from mcp_optimizer.server.transport.sessions import SessionTable


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_the_longest_idle_session_ends() -> None:
    table = SessionTable(3, Clock())
    for name in ("a", "b", "c"):
        with table.opening() as ended:
            assert ended == []
            table.add(name, "")
    first = table.get("a")
    assert first is not None
    with table.using(first, stream=False):
        pass  # now b is the longest idle one
    with table.opening() as ended:
        assert [session.id for session in ended] == ["b"]
        table.add("d", "")
    assert table.get("b") is None
    assert len(table) == 3


def test_who_works_or_listens_is_spared() -> None:
    table = SessionTable(3, Clock())
    for name in ("works", "listens", "idle"):
        table.add(name, "")
    works, listens = table.get("works"), table.get("listens")
    assert works is not None
    assert listens is not None
    with table.using(works, stream=False), table.using(listens, stream=True):
        with table.opening() as ended:
            assert [session.id for session in ended] == ["idle"]
            table.add("new", "")
            table.remove("new")
            table.add("other", "")
        other = table.get("other")
        assert other is not None
        with table.using(other, stream=False), table.opening() as ended:
            assert [session.id for session in ended] == ["listens"]
        with table.opening() as ended:
            assert ended == []


def test_several_that_begin_at_once_make_room_for_each() -> None:
    table = SessionTable(2, Clock())
    table.add("a", "")
    table.add("b", "")
    with table.opening() as first, table.opening() as second:
        assert [session.id for session in (*first, *second)] == ["a", "b"]
