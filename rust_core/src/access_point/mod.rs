//! The data plane of the far end: an access point's stations, keys, power-save queues and bridge.
