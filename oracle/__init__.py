"""Every curve of the field beside ours: the rows, the peers' calls, the proof of equality."""
