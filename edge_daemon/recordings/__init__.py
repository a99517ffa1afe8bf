"""Recorded and simulated frames: how they are kept, found again and fed in."""
