"""The one list of actions."""

import pytest

from mcp_optimizer.tui.actions import ACTIONS, Action, Area, KeyClashError, Keymap
from mcp_optimizer.tui.app import OptimizerApp
from mcp_optimizer.tui.areas import AREAS
from mcp_optimizer.tui.dialogs.help import help_content
from mcp_optimizer.tui.widgets.table import Table


def test_a_clash_of_keys_names_both() -> None:
    with pytest.raises(KeyClashError, match=r"'f'.*'one'.*'two'"):
        Keymap((Action("one", ("f",), "", "", ""), Action("two", ("f",), "", "", "")))


def test_areas_apart_may_share_a_key() -> None:
    one = Action("one", ("f",), "", "", "", frozenset({Area.SEARCH}))
    two = Action("two", ("f",), "", "", "", frozenset({Area.REGISTRY}))
    keymap = Keymap((one, two))
    assert keymap.find("f", Area.REGISTRY) is two
    assert keymap.find("f", Area.OVERVIEW) is None


def test_rebinding_onto_a_used_key_is_a_clash() -> None:
    with pytest.raises(KeyClashError, match="delete"):
        Keymap(keys={"filter": "d"})


def test_read_only_knows_no_dangerous_action() -> None:
    dangerous = {action.id for action in ACTIONS if action.dangerous}
    assert dangerous == {"ingest", "delete", "rematch", "rematch_all", "link", "unlink", "resolve", "accept",
                         "reindex"}  # fmt: skip
    assert not dangerous & {action.id for action in Keymap(read_only=True).actions}


def test_every_action_is_done_by_someone() -> None:
    owners = (OptimizerApp, Table, *AREAS.values())
    missing = {action.id for action in ACTIONS if not any(hasattr(owner, f"do_{action.id}") for owner in owners)}
    assert missing == set()


@pytest.mark.parametrize("area", list(Area))
def test_help_fits_80x24(area: Area) -> None:
    lines = help_content(Keymap(), area).plain.splitlines()
    assert len(lines) <= 21
    assert max(map(len, lines)) <= 74


def test_the_page_of_keys_is_made_from_the_list() -> None:
    from bench import keys

    assert keys.FILE.read_text(encoding="utf-8") == keys.document(), "run `python -m bench.keys`"
