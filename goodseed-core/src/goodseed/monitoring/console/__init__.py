"""What is printed: how it is caught, and which line of it is stored."""
