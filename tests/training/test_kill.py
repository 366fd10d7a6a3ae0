"""Durability, with real processes that are killed: a run goes on as if nothing had been."""

from pathlib import Path

from benchmarks.kill import check_kills


def test_after_20_kills_rates_decisions_and_weights_are_those_of_the_uninterrupted_run(
    tmp_path: Path,
) -> None:
    assert check_kills(tmp_path, kills=20, seed=11) >= 1
