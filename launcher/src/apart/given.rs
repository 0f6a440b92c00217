//! What a peer is given: files, or a Secret with them.

use std::fs::{DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::authority::Issued;

/// Its key, which nobody else may read.
const KEY: &str = "tls.key";

/// What a peer is given.
pub(super) struct Given {
    /// The authority's certificate, as PEM.
    pub(super) root: String,
    pub(super) issued: Issued,
}

impl Given {
    /// Its files, by the names that a Secret of the type `kubernetes.io/tls` has. The key comes first:
    /// who reads them meanwhile sees that it does not go with the certificate, and reads again.
    fn files(&self) -> [(&'static str, &str); 3] {
        let Self { root, issued } = self;
        [(KEY, &issued.key), ("tls.crt", &issued.certificate), ("ca.crt", root)]
    }

    /// Writes the files, each as a whole, in place of those that are there.
    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        for (name, text) in self.files() {
            let mut file = NamedTempFile::new_in(directory)?;
            file.write_all(text.as_bytes())?;
            let mode = if name == KEY { 0o600 } else { 0o644 };
            file.as_file().set_permissions(Permissions::from_mode(mode))?;
            file.as_file().sync_all()?;
            file.persist(directory.join(name))?;
        }
        Ok(())
    }

    /// The Secret of this name, for `kubectl apply`.
    pub(super) fn secret(&self, name: &str) -> Value {
        let files = self.files().into_iter().map(|(file, text)| (file.to_owned(), json!(text)));
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": name},
            "stringData": Value::Object(files.collect()),
        })
    }
}
