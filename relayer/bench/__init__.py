"""What things cost and how fast they are, measured on this machine."""
