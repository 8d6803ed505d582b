"""retrograd: backpropagation at hardware speed, with every gradient open to inspection."""

from retrograd.autodiff.gradient import gradient
from retrograd.gates import *
from retrograd.graph.node import constant, variable
from retrograd.graph.shape import rows
from retrograd.inspect.check import check_gradient
from retrograd.inspect.trace import trace
from retrograd.run import compile, evaluate

__version__ = "0.1.0"
