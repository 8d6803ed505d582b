"""Estimators as model files: parameters, network and preprocessing as strict JSON, numbers as arrays."""

from __future__ import annotations
