"""The layers, one file a family, under PyTorch's names."""
