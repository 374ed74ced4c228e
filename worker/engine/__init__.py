"""The engine: the process that owns the device. It ends when its stdin closes."""
