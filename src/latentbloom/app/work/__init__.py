"""What requests compute, in the queue's thread."""
