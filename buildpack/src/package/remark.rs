//! What nobody refuses a package for, but its author may not have meant.

use serde::Serialize;

/// Something to know about a file of the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The file.
    pub file: String,
    /// What there is to know; reads on from the file's name.
    pub text: String,
}
