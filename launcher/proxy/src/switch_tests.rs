//! The routing, tried without a network.
