"""Pixels: carried byte for byte, looked at for burned-in text, and blanked where there is some."""
