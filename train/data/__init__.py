"""Labelled strips: read, checked, split, mixed into batches."""
