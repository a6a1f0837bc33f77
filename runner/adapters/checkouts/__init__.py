"""The cache of sealed checkouts, and the evidence that they are as they were sealed."""
