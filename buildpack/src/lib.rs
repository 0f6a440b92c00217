//! Packages and images.
