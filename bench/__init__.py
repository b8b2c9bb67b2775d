"""Programs that measure speed and quality side by side with other people's models."""
