//! Management frames (IEEE 802.11-2020 9.3.3).
