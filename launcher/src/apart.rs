//! The launcher apart: its peers reach it over TLS, and each is known by its certificate.

mod arrival;
mod authority;
mod certifier;
mod door;
mod given;
mod identity;
mod issue;
mod place;
#[cfg(test)]
mod tests;

pub(crate) use self::door::Door;
pub(crate) use self::issue::Issue;
pub(crate) use self::place::AuthorityPlace;
