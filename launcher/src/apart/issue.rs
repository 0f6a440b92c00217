//! `selvedge-launcher issue`: credentials for a peer, and what renews them.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Args, ValueHint};
use time::Duration;

use super::authority::{Authority, LONGEST};
use super::given::Given;
use super::place::AuthorityPlace;
use crate::caller::PeerName;

/// Issues credentials for a peer that this launcher is apart from, or renews them.
///
/// They are of the launcher's authority, which is made if there is none. What was issued before stays
/// good until it ends; a peer is shut out by taking it from `apart.peers` in the operator's file. A
/// peer's builders read the files at each call: nothing is to be started again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    selvedge-launcher issue peer0 --to /etc/selvedge/credentials\n  \
    kubectl exec deploy/launcher -- selvedge-launcher issue peer0 --secret peer0-launcher |\n    \
    kubectl apply -n peers -f -\n\n\
    What a peer gets: ca.crt, tls.crt and tls.key. Its builders find them in the directory that\n\
    SELVEDGE_CREDENTIALS names, by default /etc/selvedge/credentials.")]
pub(crate) struct Issue {
    /// The peer's name, as `apart.peers` in the operator's file has it.
    peer: PeerName,

    #[command(flatten)]
    form: Form,

    /// For how long, a year at most.
    #[arg(long = "for", value_name = "TIME", default_value = "30d")]
    life: humantime::Duration,

    #[command(flatten)]
    authority: AuthorityPlace,

    /// The launcher's data directory.
    #[arg(
        long,
        env = "SELVEDGE_DATA_DIR",
        default_value = "/var/lib/selvedge",
        value_name = "DIR"
    )]
    data_dir: PathBuf,
}

/// In which form they are wanted.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Form {
    /// The directory to write them to; made when missing.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    to: Option<PathBuf>,

    /// Prints them as a Secret of this name, for `kubectl apply`.
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
}

impl Issue {
    /// Issues them.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let life = Duration::try_from(*self.life).unwrap_or(Duration::MAX);
        ensure!(
            life.is_positive() && life <= LONGEST,
            "--for must be more than nothing, and {} days at most",
            LONGEST.whole_days()
        );
        let authority = Authority::open(&self.authority.directory(&self.data_dir))?;
        let issued = authority.peer(&self.peer, life)?;
        let given = Given { root: authority.root().to_owned(), issued };
        let mut out = io::stdout().lock();
        if let Some(name) = &self.form.secret {
            serde_json::to_writer_pretty(&mut out, &given.secret(name))?;
            writeln!(out)?;
        }
        if let Some(directory) = &self.form.to {
            let path = directory.display();
            given.write(directory).with_context(|| format!("cannot write to {path}"))?;
            let (peer, until) = (&self.peer, given.issued.until.date());
            writeln!(out, "{peer} is let in until {until} by what is in {path}")?;
        }
        Ok(())
    }
}
