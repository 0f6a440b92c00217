//! The one implementation of cryptography that all TLS of this process uses.

/// Makes *ring* the process's default, which HTTP clients take that are told of none.
pub(crate) fn choose_provider() {
    // Whoever was first chose the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
