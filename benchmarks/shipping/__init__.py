"""What is shipped, and how fast it is: the MLP of the course as an artifact of graphc and of others."""
