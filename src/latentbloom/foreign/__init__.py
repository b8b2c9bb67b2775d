"""Files that others may have made: data, never code, and within bounds."""
