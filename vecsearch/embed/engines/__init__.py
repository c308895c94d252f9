"""What runs a truncated network: OpenVINO or torch, and the cache of compiled networks."""
