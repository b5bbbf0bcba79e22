"""What a person sees of a running tidegate in a terminal."""
