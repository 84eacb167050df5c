"""From the bytes of a file to its text. One small file a format; `process` is the way in."""
