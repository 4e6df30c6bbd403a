//! Replay counters: one per traffic identifier and one for management (IEEE 802.11-2020 12.5.3.4.4).
