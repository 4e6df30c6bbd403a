//! AES-CCM (RFC 3610) for any nonce and tag length.
