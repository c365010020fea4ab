"""Tables of people as vectors: reading, inference of types, preprocessing, targets."""
