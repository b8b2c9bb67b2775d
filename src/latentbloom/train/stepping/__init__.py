"""One step of training: gradients of a batch, in one piece or in parts, then weights."""
