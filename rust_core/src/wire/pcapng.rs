//! The pcapng file, read and written.
