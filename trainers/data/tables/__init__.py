"""Tables as vectors: reading, inference of types, preprocessing, targets."""
