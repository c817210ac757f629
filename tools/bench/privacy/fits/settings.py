"""Settings of the other fits, chosen at ε = 1 on validation rows cut from the judge's training rows."""

from dataclasses import dataclass

__all__ = ["EmFit", "NetworkFit"]


@dataclass(frozen=True, slots=True)
class NetworkFit:
    """How the network is fitted.

    Attributes:
        latent: dimensions of its noise.
        width: of its residual blocks.
        blocks: how many.
        batch: rows a step, in two halves.
        steps: of Adam.
        learning_rate: at the top; it falls to nothing as a cosine.
        decay: of the average of weights that is released, a step.
    """

    latent: int = 64
    width: int = 128
    blocks: int = 1
    batch: int = 512
    steps: int = 1000
    learning_rate: float = 3e-3
    decay: float = 0.995


@dataclass(frozen=True, slots=True)
class EmFit:
    """How the mixture is fitted.

    Attributes:
        components: of each class of the label.
        rounds: of expectation and maximisation, T.
        encoder_share: of the budget, for the counts that codes are made from; the rounds share the rest evenly.
        codes: of a numeric column, at least: runs of cells with as many rows each.
    """

    components: int = 10
    rounds: int = 6
    encoder_share: float = 0.4
    codes: int = 20
