"""The pure core: everything on a frame's way that needs no socket, disk, clock or network."""
