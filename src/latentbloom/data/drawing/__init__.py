"""Pictures drawn by the program: an antialiased canvas, flowers and faces on it."""
