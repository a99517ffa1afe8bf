"""How good a network is, and the thresholds that make the most of it."""
