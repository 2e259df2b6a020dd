"""What is read off a training: its values and steps, checkpoints, length, gradients."""
