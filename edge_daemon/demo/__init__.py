"""`make demo`: the whole way on one box, in a minute."""
