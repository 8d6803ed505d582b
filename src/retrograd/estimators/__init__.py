"""Estimators: scikit-learn's face on retrograd's networks, optimizers and training sessions."""
