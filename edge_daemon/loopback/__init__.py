"""The daemon started as a process on this box, watched through its own HTTP side."""
