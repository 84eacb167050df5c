"""What goes on beside requests: reading uploaded files."""
