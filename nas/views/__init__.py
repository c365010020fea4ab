"""Views of runs and analyses: terminal, TensorBoard, HTML, pictures, CSV."""
