"""Files without torch: arrays, checkpoints, pictures."""
