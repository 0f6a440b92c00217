//! Who asks: one user with a password that nobody chose, by HTTP's Basic scheme (RFC 7617), which every
//! container runtime and every client of registries knows.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::{fmt, str};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::header::AUTHORIZATION;
use selvedge_buildpack::digest::Sha256;

use crate::fault::Fault;

/// How long a password is, in bytes before it is written as text.
const PASSWORD: usize = 32;

/// A user and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: &'static str,
    /// The password.
    pub password: String,
}

impl Login {
    /// A user with a new password, of 256 random bits.
    pub fn random(user: &'static str) -> io::Result<Self> {
        let mut random = [0; PASSWORD];
        getrandom::fill(&mut random)?;
        Ok(Self { user, password: BASE64_URL_SAFE_NO_PAD.encode(random) })
    }

    /// A user with the password that the file has, or with a new one, which is then left there for its
    /// owner alone: whoever was given it may go on.
    pub fn kept(user: &'static str, file: &Path) -> io::Result<Self> {
        if let Some(password) = kept(file) {
            return Ok(Self { user, password });
        }
        let login = Self::random(user)?;
        let new = file.with_extension("new");
        let mut written =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        written.write_all(login.password.as_bytes())?;
        written.sync_all()?;
        fs::rename(new, file)?;
        Ok(login)
    }
}

/// Says nothing of the password.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A password that was left, if it is one and not everybody could read it. A volume's group may: the
/// kubelet gives it all files when it mounts one for a pod (`fsGroup`).
fn kept(file: &Path) -> Option<String> {
    let metadata = fs::symlink_metadata(file).ok()?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o007 != 0 {
        return None;
    }
    let text = fs::read_to_string(file).ok()?;
    let is_one = BASE64_URL_SAFE_NO_PAD.decode(&text).is_ok_and(|bytes| bytes.len() == PASSWORD);
    is_one.then_some(text)
}

/// Whom a router lets in.
#[derive(Clone)]
pub(crate) struct Guard {
    /// Of `user:password`: two digests are compared in the open, and what they are of stays unknown.
    accepted: Sha256,
}

impl Guard {
    pub(crate) fn of(login: &Login) -> Self {
        Self { accepted: Sha256::of(format!("{}:{}", login.user, login.password).as_bytes()) }
    }

    fn admits(&self, request: &Request) -> bool {
        let said = request.headers().get(AUTHORIZATION).and_then(|said| said.to_str().ok());
        let encoded = said.and_then(|said| {
            let (scheme, encoded) = said.split_once(' ')?;
            scheme.eq_ignore_ascii_case("basic").then_some(encoded.trim())
        });
        let decoded = encoded.and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
        decoded.is_some_and(|decoded| Sha256::of(&decoded) == self.accepted)
    }
}

/// Lets nobody else in, and says how to ask.
pub(crate) async fn admit(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    if guard.admits(&request) {
        next.run(request).await
    } else {
        Fault::Unauthorized.into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_lasts_and_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("password");
        let login = Login::kept("node", &file).unwrap();
        assert_eq!(Login::kept("node", &file).unwrap(), login);
        assert!(!format!("{login:?}").contains(&login.password));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

        // A volume's group may have it.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o660)).unwrap();
        assert_eq!(Login::kept("node", &file).unwrap(), login);
        // What others could read, or is none, is not taken.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let second = Login::kept("node", &file).unwrap();
        assert_ne!(second, login);
        fs::write(&file, "password").unwrap();
        let third = Login::kept("node", &file).unwrap();
        assert_ne!(third, second);
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &file).unwrap();
        assert_ne!(Login::kept("node", &file).unwrap(), third);
    }
}
