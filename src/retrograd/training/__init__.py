"""Training: the step of a network, the loop over epochs, when to stop, and the history."""
