//! The per-VM connection table (622).
