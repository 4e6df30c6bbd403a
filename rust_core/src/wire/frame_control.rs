//! The Frame Control field (IEEE 802.11-2020 9.2.4.1).
