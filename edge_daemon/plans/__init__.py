"""Plans: TensorRT engines made from a bundle for one GPU, kept in a cache folder."""
