"""What is shipped, and how fast it is: the MLP of the course, by graphc and by others."""
