"""`edge-daemon bench`: where a millisecond goes, stage by stage and through the whole daemon."""
