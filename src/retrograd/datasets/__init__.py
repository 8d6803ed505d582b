"""Data sets that need no network: scikit-learn's small ones and the inverse fin problem."""

from retrograd.datasets.bundled import load, names
from retrograd.datasets.dataset import Dataset
from retrograd.datasets.pin_fin import fin

__all__ = ["Dataset", "fin", "load", "names"]
