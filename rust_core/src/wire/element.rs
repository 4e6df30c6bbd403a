//! Elements of management frames (IEEE 802.11-2020 9.4.2).
