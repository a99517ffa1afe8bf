"""Evidence: the frames around a defect, kept as recordings while the line runs on.

    inspector -> keeper (frames in memory) -> bounded queue -> writer (its own thread) -> folder

Alerts never depend on it: what the disk doesn't take in time is dropped and counted.
"""
