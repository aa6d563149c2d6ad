"""Writes ``docs/keys.md`` from the list of actions: ``python -m bench.keys``."""

import sys
from pathlib import Path
from typing import Final

from mcp_optimizer.tui.actions import ACTIONS, EVERYWHERE, Action, full_id, key_words

FILE: Final = Path(__file__).resolve().parent.parent / "docs" / "keys.md"

_HEAD: Final = """# Keys

Made from the list of actions by `python -m bench.keys`. Every key can be changed in the configuration file, by the name
of its action; a key that two actions of one area would share is an error that names both, before the screen opens:

```toml
[keys]
filter = "f"                    # one key
"area.search" = ["0", "f9"]     # or several
```

Keys are named as Textual names them: `slash`, `question_mark`, `ctrl+d`, `f2`, `G`. What is marked ✎ changes what is
stored; with `--read-only` it is not there. In a filter: `text`, `!not`, `~fuzzy`, `/regex/`, `field:value`,
`field:=exactly`, `one|other`, `tools:>5`, `updated:<1d`;
quotes stand around spaces.
"""


def document() -> str:
    """The whole file."""
    parts = [_HEAD]
    for section in dict.fromkeys(action.section for action in ACTIONS):
        parts.append(f"## {section}\n\n| key | does | where | action |\n|---|---|---|---|")
        parts += [_row(action) for action in ACTIONS if action.section == section]
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def _row(action: Action) -> str:
    keys = " ".join(f"`{key_words(key)}`" for key in action.keys)
    where = "everywhere" if action.areas == EVERYWHERE else ", ".join(sorted(area.label for area in action.areas))
    return f"| {keys} | {action.help}{' ✎' if action.dangerous else ''} | {where} | `{full_id(action)}` |"


def main() -> None:
    """Write it."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(document(), encoding="utf-8")
    sys.stdout.write(f"{FILE.relative_to(FILE.parent.parent)}\n")


if __name__ == "__main__":
    main()
