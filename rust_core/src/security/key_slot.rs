//! One installed key: its cipher, its transmit packet number, its replay counters.
