//! Which specs of Fabric's own suites are run: docs/fabric-suites.md has them by name, and all others
//! with the reason why they are not.

/// A suite of `integration/`, and what of it is run.
pub(super) struct Suite {
    pub(super) name: &'static str,
    /// What the names of the specs match that are left out (`-ginkgo.skip`).
    pub(super) without: &'static [&'static str],
    pub(super) peers: Peers,
}

/// What the suite's peers are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Peers {
    /// Programs of Go alone, as those of the testbed.
    Pure,
    /// With C in them: only these load plugins.
    WithC,
    /// With C, and keys in a hardware module that a library plays.
    WithToken,
}

/// Those of which specs pass.
pub(super) const SUITES: &[Suite] = &[
    Suite::without("e2e", &["CouchDB", "docker chaincode builds", "containers being interrupted"]),
    Suite::whole("discovery"),
    Suite::whole("gateway"),
    Suite::whole("gossip"),
    Suite::whole("idemix"),
    Suite::without("ledger", &["CouchDB", "generates snapshot", "unjoins channels"]),
    Suite::without("lifecycle", &["using _lifecycle and upgrades", "does not fallback"]),
    Suite::whole("msp"),
    Suite::whole("nwo"),
    Suite::whole("pkcs11").of(Peers::WithToken),
    Suite::whole("pluggable").of(Peers::WithC),
    Suite::whole("pvtdata"),
    Suite::whole("pvtdatapurge"),
    Suite::whole("sbe"),
    Suite::whole("smartbft"),
];

impl Suite {
    const fn whole(name: &'static str) -> Self {
        Self::without(name, &[])
    }

    const fn without(name: &'static str, without: &'static [&'static str]) -> Self {
        Self { name, without, peers: Peers::Pure }
    }

    const fn of(self, peers: Peers) -> Self {
        Self { peers, ..self }
    }
}
