"""Option contracts, payoffs, pricing and Greeks. Imports nothing of ours."""
