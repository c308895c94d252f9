"""A truncated network and what surrounds it: RGB pictures -> unit vectors (n, d) float32."""
