//! The four executables.
