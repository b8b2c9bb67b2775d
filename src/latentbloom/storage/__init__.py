"""Reading and writing files: whatever comes from users or goes to the disk passes here."""
