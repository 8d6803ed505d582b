"""Data sets that need no network: scikit-learn's small ones, and some made by a formula."""

from retrograd.datasets.bundled import load, names
from retrograd.datasets.classic import parity, two_spirals
from retrograd.datasets.dataset import Dataset
from retrograd.datasets.pin_fin import fin

__all__ = ["Dataset", "fin", "load", "names", "parity", "two_spirals"]
