//! Airtime and the error model.
