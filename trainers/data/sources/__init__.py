"""Sources of data: image folders, arrays, torchvision's data sets."""
