"""``torch.backends.cudnn``: not used; what is set here has no effect."""

benchmark = deterministic = allow_tf32 = enabled = False


def is_available() -> bool:
    """Return False."""
    return False


def version() -> None:
    """Return None."""
