"""`edge-daemon replay`: recorded streams through the same code as the daemon's.

Same input, same output, byte for byte.
"""
