"""retrograd: backpropagation at hardware speed, with every gradient open to inspection."""
