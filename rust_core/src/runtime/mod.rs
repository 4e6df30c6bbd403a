//! Wires devices, ports, access points and the air, and moves the time.
