"""Commands that make a finished run usable elsewhere."""
