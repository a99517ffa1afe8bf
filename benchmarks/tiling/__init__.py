"""Frames larger than a strip: our cutting and stitching beside supervision's InferenceSlicer."""
