"""A critic trained by noisy sums at the coordinator, and a fitted mixture's draws weighed by it: post-processing."""

from headwater.generator.private_critic.network import integer_critic_of
from headwater.generator.private_critic.training import step_critic
from headwater.generator.private_critic.verdict import weigh_noisy

__all__ = ["integer_critic_of", "step_critic", "weigh_noisy"]
