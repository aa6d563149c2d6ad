"""What a runtime says of a status, without the times in it (L8, E2)."""

import pytest

from mcp_optimizer.domain.status_text import lasting_text, timeless, without_age


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Exited (0) 3 minutes ago", "Exited (0)"),
        ("Exited (137) About an hour ago", "Exited (137)"),
        ("Exited (0) Less than a second ago", "Exited (0)"),
        ("Exited (1) 2m10s ago", "Exited (1)"),
        ("Exited (0) 2 days and 3 hours ago", "Exited (0)"),
        ("Up 2h", "Up"),
        ("Up 2 hours (healthy)", "Up (healthy)"),
        ("Up 36 hours (unhealthy)", "Up (unhealthy)"),
        ("Up About a minute", "Up"),
        ("Up Less than a second (health: starting)", "Up (health: starting)"),
        ("Up 5 weeks (Paused)", "Up (Paused)"),
        ("Up 2 minutes ago", "Up"),
        ("Up for 3 minutes", "Up"),
        ("Restarting (1) 5 seconds ago", "Restarting (1)"),
        ("stopped 3 days ago by user", "stopped by user"),
        ("last seen 30 secs ago, waiting", "last seen, waiting"),
        ("Created", "Created"),
        ("Dead", "Dead"),
        ("Removal In Progress", "Removal In Progress"),
        ("timed out after 30 s", "timed out after 30 s"),
        ("port 8080 is taken", "port 8080 is taken"),
        ("exit code 3", "exit code 3"),
        ("a server has crashed", "a server has crashed"),
        ("backup 2 days old", "backup 2 days old"),
        ("", ""),
    ],
)
def test_how_long_ago_something_was_is_not_kept(given: str, kept: str) -> None:
    assert without_age(given) == kept
    assert without_age(kept) == kept


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ("Exited (0) 3 minutes ago", "Exited (0) 4 minutes ago", True),
        ("back-off 2m40s restarting failed container", "back-off 5m0s restarting failed container", True),
        ("retry in 12.5s", "retry in 3s", True),
        ("refused since 2026-01-01T10:00:00Z", "refused since 2026-01-01 11:30:05.123+02:00", True),
        ("did not answer within 20.1 seconds", "did not answer within 20.2 seconds", True),
        ("Exited (0)", "Exited (1)", False),
        ("port 8080 is taken", "port 8081 is taken", False),
        ("Up (healthy)", "Up (unhealthy)", False),
        ("3 tools", "4 tools", False),
        (None, "Exited (0)", False),
        ("Exited (0)", None, False),
    ],
)
def test_what_differs_in_times_alone_is_no_change(before: str | None, now: str | None, same: bool) -> None:
    assert lasting_text(before, now) == (before if same else now)


def test_words_are_no_times() -> None:
    assert timeless("a d or an m of s") == "a d or an m of s"
    assert timeless("sha256:3d5f 1b2c3d") == "sha256:3d5f 1b2c3d"
