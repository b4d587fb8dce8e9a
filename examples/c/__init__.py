"""MNIST trained by a C program."""
