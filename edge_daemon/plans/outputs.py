"""What a plan gives, and counts on the device so that of a clean strip a few bytes leave it.

    probability  (N, K, h, w) float16; named as the bundle's output
    counts       (N, K) int32: cells above the threshold of each class
    valid        (N,) int32: cells, of all classes, whose probability lies in 0..1

A NaN compares false with everything: it isn't counted as valid, so it is found without fetching a
plane. Comparisons are made in float32, which holds every float16: counts are exactly those that the
reader of the planes would find. They are strict, for TensorRT has no others: between two bounds
here lie the float16 from 0 to 1, and nothing else.
"""

JUST_BELOW_0 = -(2.0**-25)
"""Above every negative float16, of which -2**-24 is the largest."""
JUST_ABOVE_1 = 1.0 + 2.0**-11
"""Below the float16 that follows 1."""
