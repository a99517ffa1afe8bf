"""Where frames come in."""
