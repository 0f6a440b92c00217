//! How a chaincode's shim and its peer come together: which of the two listens.

/// Who dials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shim {
    /// The chaincode dials its peer.
    #[default]
    Dials,
    /// The chaincode listens for its peer, and dials at most where it is not told to listen.
    Listens(Security),
}

/// Whether a chaincode that listens does so with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// With the certificates that it is given.
    Tls,
    /// Without: it knows of no variable that would have it.
    Plain,
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
            (true, true) => Shim::Listens(Security::Tls),
            (true, false) => Shim::Listens(Security::Plain),
        }
    }
}

/// As Go, Java and JavaScript have them, and people write them.
pub(crate) fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    ["//", "/*", "* "].iter().any(|start| line.starts_with(start))
}
