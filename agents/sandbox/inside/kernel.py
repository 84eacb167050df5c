"""The C library, opened once: every opening costs more than the calls made through it."""

import ctypes

libc = ctypes.CDLL(None, use_errno=True)
