//! The medium.
