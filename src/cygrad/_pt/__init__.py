"""PyTorch's file format, read and written without pickle."""
