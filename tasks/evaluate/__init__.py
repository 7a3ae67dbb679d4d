"""How well an index answers."""
