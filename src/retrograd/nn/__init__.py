"""Networks: layers, activations, losses and initializers, all written in gates."""
