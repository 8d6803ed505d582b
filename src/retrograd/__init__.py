"""retrograd: backpropagation at hardware speed, with every gradient open to inspection."""

from retrograd.autodiff.gradient import gradient
from retrograd.gates import *
from retrograd.graph.node import Node, constant, variable
from retrograd.graph.shape import rows
from retrograd.load import load
from retrograd.nn.layers import Dense
from retrograd.nn.network import MLP, Network
from retrograd.optim.adam import Adam, AdamW
from retrograd.optim.lbfgs import LBFGS
from retrograd.optim.sgd import SGD
from retrograd.run import compile, evaluate
from retrograd.training.history import History
from retrograd.training.train import train

__version__ = "0.1.0"
