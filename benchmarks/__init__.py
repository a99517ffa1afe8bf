"""Side by side with what one would pick instead, in pairs within the same minute.

`python -m benchmarks networks|tiling|transport`. Every figure is a ratio of two neighbours in time,
median and spread: other work on the machine slows both of a pair.
"""
