//! Data frames: LLC/SNAP bodies, A-MSDUs, to and from Ethernet.
