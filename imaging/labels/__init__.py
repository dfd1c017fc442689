"""Labels on images: segmentations, structure sets and label maps, read, painted on a volume's grid, and written."""
