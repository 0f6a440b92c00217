//! Whether a package brings what its code depends on.

/// Whether dependencies go in that could be had anew where it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependencies {
    /// They stay out, as Fabric's packagers have it.
    Installed,
    /// They go in, for builds without a network: those that are beside the code, and what
    /// [`Draft::take_along`](super::Draft::take_along) adds.
    Packed,
}
