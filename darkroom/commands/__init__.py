"""The commands, one module each; `darkroom.__main__` imports a module when it is used."""
