"""`make bench`: speed of the codec and the session, instructions counted, and the end-to-end comparison."""
