//! MAC headers of management, control and data frames (IEEE 802.11-2020 9.2.3).
