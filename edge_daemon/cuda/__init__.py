"""The few things that the daemon asks of an NVIDIA GPU, without torch."""
