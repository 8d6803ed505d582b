"""Losses: what a network's output costs in each example, and what targets each loss takes.

Those with numbers of their own are frozen dataclasses, `rg.Huber(delta=0.5)`; every one has a name,
`loss="huber"`, which stands for its usual numbers. A new loss is a class of a few lines: its
formula in gates, what targets it takes, and one line in the table of `names`.

The loss of a row is the sum over outputs, and J is the mean over rows. PyTorch's and Keras's usual
reductions are means over outputs too: for O outputs they are J / O. Where classes are told apart
(cross entropy, focal, KL divergence) all three are the mean over rows, but for several yes-or-no
outputs, where theirs is J / O again.
"""

from retrograd.nn.losses.base import Formula, Loss, LossSpec
from retrograd.nn.losses.joint import JointLoss, Losses
from retrograd.nn.losses.names import LOSSES, LossChoice, find_loss, loss_for, require_two_classes
from retrograd.nn.losses.targets import Target, Targets

__all__ = [
    "LOSSES",
    "Formula",
    "JointLoss",
    "Loss",
    "LossChoice",
    "LossSpec",
    "Losses",
    "Target",
    "Targets",
    "find_loss",
    "loss_for",
    "require_two_classes",
]
