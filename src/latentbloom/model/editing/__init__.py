"""Change what a real picture shows: edits, morphs, directions."""
