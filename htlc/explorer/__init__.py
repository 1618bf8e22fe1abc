"""Every course a deal can take, over discrete time, on the very functions that run it."""
