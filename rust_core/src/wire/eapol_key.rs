//! EAPOL-Key frames (IEEE 802.11-2020 12.7.2).
