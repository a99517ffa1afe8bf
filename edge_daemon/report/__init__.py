"""The page that a replay leaves behind: what was found, where, and what nobody has looked at."""
