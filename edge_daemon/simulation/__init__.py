"""Synthetic steel with exact ground truth: single strips to train on, and a line that runs."""
