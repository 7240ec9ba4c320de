"""Other libraries, imported only where they are used."""
