"""Every curve of the field beside ours: the rows, each peer's own call, and the proof of equality."""
