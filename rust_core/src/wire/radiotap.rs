//! The radiotap header, read and written.
