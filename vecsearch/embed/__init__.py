"""A truncated VGG19 and what surrounds it: RGB pictures -> unit vectors (n, d) float32."""
