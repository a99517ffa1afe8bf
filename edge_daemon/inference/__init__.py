"""The network: its bundle, what runs it, and the answers that it gives."""
