//! The shim proxy.
