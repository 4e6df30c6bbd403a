"""Offline decoding of captures: credentials, sessions, and the verdict on each protected frame.

- `credentials`: the networks that the user knows, and the PMKs that may fit an access point;
- `keys`: temporal keys, and the ring of those that a frame may be under;
- `session`: one station and one access point: four-way and group handshakes, fast BSS transitions;
- `decoder`: goes over the frames, learns from those in the clear and opens the others;
- `report`: the counts.

Not here: files (`polyradio.decrypt`). Promise: octets of a capture never raise; a key is used only where a MIC agreed.
"""
