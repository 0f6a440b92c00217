//! How a chaincode's shim and its peer come together: which of the two listens.

pub use selvedge_package::{ServerPort, UnfitPort};

/// Who dials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shim {
    /// The chaincode dials its peer.
    #[default]
    Dials,
    /// The chaincode listens for its peer, and dials at most where it is not told to listen.
    Listens(Server),
}

/// How a chaincode listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// Whether it does so with TLS.
    pub security: Security,
    /// Where it does so whatever it is told; none of one that listens where it is told to.
    pub port: Option<ServerPort>,
}

/// Whether a chaincode that listens does so with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// With the certificates that it is given.
    Tls,
    /// Without: it knows of no variable that would have it.
    Plain,
}

impl Shim {
    /// That of a chaincode that listens where it is told to.
    pub const fn listens(security: Security) -> Self {
        Self::Listens(Server { security, port: None })
    }

    /// How the chaincode listens, if it does.
    pub const fn server(self) -> Option<Server> {
        match self {
            Self::Dials => None,
            Self::Listens(server) => Some(server),
        }
    }
}

/// By which words a language's source says how it is linked.
pub(crate) struct Words {
    /// One of these has what listens.
    pub(crate) listens: &'static [&'static str],
    /// One of these has what besides listens with TLS if it is told to.
    pub(crate) knows_tls: &'static [&'static str],
}

impl Words {
    /// What the texts of a chaincode's own files say, whose comments do not count.
    pub(crate) fn said_in<T: AsRef<str>>(&self, texts: impl Iterator<Item = T>) -> Shim {
        let (mut listens, mut knows_tls) = (false, false);
        for text in texts {
            for line in text.as_ref().lines().filter(|line| !is_comment(line)) {
                let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
                listens |= has(self.listens);
                knows_tls |= has(self.knows_tls);
            }
        }
        match (listens, knows_tls) {
            (false, _) => Shim::Dials,
            (true, true) => Shim::listens(Security::Tls),
            (true, false) => Shim::listens(Security::Plain),
        }
    }
}

/// As Go, Java and JavaScript have them, and people write them.
pub(crate) fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    ["//", "/*", "* "].iter().any(|start| line.starts_with(start))
}
