"""Raw Mono8 frames from one process to another by ipc: ours beside savant_rs and imagezmq."""
