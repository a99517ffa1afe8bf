"""The page that compares trained networks: what each is, how good, how fast, and where it fails."""
