//! The RSN element (IEEE 802.11-2020 9.4.2.24).
