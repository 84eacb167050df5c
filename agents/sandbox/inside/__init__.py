"""What runs on the other side of the wall: Python's standard library only, nothing of ours."""
