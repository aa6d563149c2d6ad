"""When to poll next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_optimizer.domain.serving.poll_interval import PollInterval, next_delay

PACE = PollInterval(interval=60.0, initial_backoff=1.0, max_backoff=30.0, quick_retries=10)
CHANCES = st.floats(0, 1, exclude_max=True)


@given(CHANCES)
def test_while_all_is_well_it_is_the_interval_a_tenth_more_or_less(rng: float) -> None:
    assert 54.0 <= next_delay(PACE, 0, rng) <= 66.0


@pytest.mark.parametrize(("failures", "longest"), [(1, 1.0), (2, 2.0), (3, 4.0), (5, 16.0), (6, 30.0), (10, 30.0)])
def test_pauses_double_up_to_the_longest(failures: int, longest: float) -> None:
    assert next_delay(PACE, failures, 0.0) == longest / 2
    assert next_delay(PACE, failures, 0.999) == pytest.approx(longest, rel=0.01)


def test_after_many_failures_polls_come_at_the_interval() -> None:
    assert next_delay(PACE, 11, 0.5) == 60.0


def test_a_part_that_is_polled_once_a_day_need_not_wait_for_a_day() -> None:
    daily = PACE.model_copy(update={"interval": 86_400.0})
    assert next_delay(daily, 0, 0.5) == 86_400.0
    assert next_delay(daily, 11, 0.5) == 60 * 30.0


@given(st.floats(0.001, 1e6), st.integers(0, 10**6), CHANCES, st.floats(0.001, 1e4), st.floats(0.001, 1e4))
def test_a_failure_never_makes_the_pause_longer_than_the_interval(
    interval: float, failures: int, rng: float, initial: float, longest: float
) -> None:
    pace = PollInterval(interval=interval, initial_backoff=initial, max_backoff=longest, quick_retries=10**6)
    delay = next_delay(pace, failures, rng)
    assert 0 < delay <= interval * 1.1
    assert failures == 0 or delay <= interval


def test_two_programs_do_not_poll_in_step() -> None:
    assert next_delay(PACE, 0, 0.1) != next_delay(PACE, 0, 0.9)
