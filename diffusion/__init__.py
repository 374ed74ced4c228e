"""The mathematics of face diffusion."""
