//! The classic pcap file, read.
