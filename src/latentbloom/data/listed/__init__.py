"""Lists as long as a set has pictures, in arrays and temporary files instead of objects."""
