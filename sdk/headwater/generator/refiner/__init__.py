"""The refined mixture: a network that moves a mixture's draws, and a critic that weighs them."""
