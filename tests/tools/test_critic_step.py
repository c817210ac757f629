"""What a private critic step costs is measured where it is the same step."""

from privacy.critic_step import measure_critic_step


def test_figures_are_there_without_the_peer() -> None:
    shape = {"inputs": 50, "widths": [8, 8], "rows": 40, "batch": 20, "steps": 2}
    figures = measure_critic_step(shape, opacus=False)
    assert set(figures) == {"private_seconds", "plain_seconds", "noise_seconds", "parameters"}
    assert figures["parameters"] == 51 * 8 + 9 * 8 + 9
    assert min(figures.values()) > 0
