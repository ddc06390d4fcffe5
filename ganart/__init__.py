"""ganart turns a folder of pictures into a latent space to wander through."""

__version__ = "0.1.0"
