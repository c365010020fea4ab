"""What people look at: TensorBoard, pictures, tables."""
