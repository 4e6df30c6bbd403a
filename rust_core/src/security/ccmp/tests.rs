//! Tests of CCMP as a whole; those with vectors from files are in `tests/security_vectors.rs`.
