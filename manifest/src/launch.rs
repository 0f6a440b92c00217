//! How a chaincode process is started: the environment, files and arguments that
//! Fabric's own images give it (`core/container/dockercontroller/dockercontroller.go`,
//! `GetEnv`, `GetArgs` and `Start`), so that existing chaincode runs unchanged. Those that
//! fabric-builder-k8s gives are among them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use selvedge_buildpack::content::PackageContent;
use selvedge_buildpack::shim::{Security, ServerPort, Shim};

/// Where a chaincode finds its credentials.
pub const DIRECTORY: &str = "/etc/hyperledger/fabric";

/// Where the images of Fabric's samples look for them when they listen with TLS: the script
/// `start:server` of `asset-transfer-basic/chaincode-typescript`.
const OF_SAMPLES: &str = "/hyperledger";

/// The port at which a chaincode's pod listens, if its chaincode does where it is told to: that of
/// Fabric's samples.
const SERVER_PORT: u16 = 9999;

/// What a process is given to be a replica.
#[derive(Debug, PartialEq, Eq)]
pub struct LaunchPlan {
    /// Environment variables, besides those of the image.
    pub environment: Vec<(String, String)>,
    /// Files by absolute path.
    pub files: Vec<(String, Vec<u8>)>,
    /// Arguments after the image's entrypoint.
    pub arguments: Vec<String>,
    /// Where its pod listens, if it does.
    pub port: Option<u16>,
}

/// What a replica authenticates with, as PEM.
#[derive(Clone)]
pub struct ReplicaCredentials {
    /// Its certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// What it verifies the proxy against.
    pub root: String,
}

/// What a launch is for.
pub struct LaunchTarget<'a> {
    /// What its package holds, which decides the start arguments.
    pub content: PackageContent,
    /// How its shim and the proxy come together.
    pub shim: Shim,
    /// The package ID to register.
    pub package_id: &'a str,
    /// The organisation's MSP ID.
    pub msp_id: &'a str,
    /// Where the replica finds the proxy, `host:port`.
    pub address: &'a str,
    /// Where the files' root is, for a process that has no root of its own; empty otherwise.
    pub root: &'a str,
}

impl LaunchPlan {
    /// The plan for one replica.
    pub fn new(target: &LaunchTarget<'_>, credentials: &ReplicaCredentials) -> Self {
        let path = |name: &str| format!("{}{DIRECTORY}/{name}", target.root);
        // The _PATH files are base64 of the PEM, the _FILE files are the PEM
        // itself: old shims read the former, new ones the latter.
        let base64 = |pem: &str| BASE64_STANDARD.encode(pem).into_bytes();
        let ReplicaCredentials { certificate, key, root } = credentials;
        let files = [
            ("CORE_TLS_CLIENT_KEY_PATH", path("client.key"), base64(key)),
            ("CORE_TLS_CLIENT_CERT_PATH", path("client.crt"), base64(certificate)),
            ("CORE_TLS_CLIENT_KEY_FILE", path("client_pem.key"), key.clone().into_bytes()),
            ("CORE_TLS_CLIENT_CERT_FILE", path("client_pem.crt"), certificate.clone().into_bytes()),
            ("CORE_PEER_TLS_ROOTCERT_FILE", path("peer.crt"), root.clone().into_bytes()),
        ];
        let named = match target.content {
            PackageContent::Image => target.shim.server().map(|server| server.security),
            PackageContent::Code(_) => None,
        };
        // What an image does is its author's word alone, and it hears the same of all variables: by
        // this one the entry points of Fabric's samples choose (`docker/docker-entrypoint.sh` of
        // `chaincode-java` and `chaincode-typescript`). Code whose text shows no TLS may dial after
        // all, and then needs it.
        let tls = named != Some(Security::Plain);
        let mut environment = vec![
            ("CORE_CHAINCODE_ID_NAME".to_owned(), target.package_id.to_owned()),
            ("CORE_PEER_TLS_ENABLED".to_owned(), tls.to_string()),
            ("CORE_PEER_LOCALMSPID".to_owned(), target.msp_id.to_owned()),
            ("CORE_PEER_ADDRESS".to_owned(), target.address.to_owned()),
        ];
        environment
            .extend(files.iter().map(|(variable, path, _)| ((*variable).to_owned(), path.clone())));
        if let Some(listens) = target.shim.server() {
            environment.extend(server(target.package_id, listens.security, path));
        }
        let mut files: Vec<_> =
            files.into_iter().map(|(_, path, content)| (path, content)).collect();
        if named == Some(Security::Tls) {
            files.extend(of_samples(target.root, credentials));
        }
        Self { environment, files, arguments: target.content.arguments(target.address), port: None }
    }

    /// The plan for one replica in a pod of its own: one that listens does so on all of the pod's
    /// addresses, of the kind that the proxy has.
    pub fn in_pod(
        target: &LaunchTarget<'_>,
        credentials: &ReplicaCredentials,
        proxy: IpAddr,
    ) -> Self {
        let mut plan = Self::new(target, credentials);
        if let Some(server) = target.shim.server() {
            let port = server.port.map_or(SERVER_PORT, ServerPort::get);
            let any = match proxy {
                IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            };
            plan.environment.extend(listening_at(SocketAddr::new(any, port)));
            plan.port = Some(port);
        }
        plan
    }
}

/// The credentials once more, where an image may look that is told of no other place.
fn of_samples(root: &str, credentials: &ReplicaCredentials) -> [(String, Vec<u8>); 3] {
    let file =
        |name: &str, pem: &str| (format!("{root}{OF_SAMPLES}/{name}"), pem.as_bytes().to_vec());
    [
        file("privatekey.pem", &credentials.key),
        file("cert.pem", &credentials.certificate),
        file("rootcert.pem", &credentials.root),
    ]
}

/// What a chaincode that listens is told of itself: by the variables of Fabric's samples for Go and
/// of its documentation for ccaas, and those of fabric-chaincode-node (`cli.js`,
/// `lib/cmds/serverCommand.js`, which takes each option from `CORE_`). The contract API for Go and
/// Java's shim read those of a chaincode that dials (`contractapi/contract_chaincode.go`,
/// `loadTLSProperties`).
fn server(
    package_id: &str,
    security: Security,
    path: impl Fn(&str) -> String,
) -> Vec<(String, String)> {
    let mut variables =
        vec![("CHAINCODE_ID", package_id.to_owned()), ("CORE_CHAINCODE_ID", package_id.to_owned())];
    match security {
        Security::Plain => variables.push(("CHAINCODE_TLS_DISABLED", "true".to_owned())),
        Security::Tls => variables.extend([
            ("CHAINCODE_TLS_DISABLED", "false".to_owned()),
            ("CHAINCODE_TLS_KEY", path("client_pem.key")),
            ("CHAINCODE_TLS_CERT", path("client_pem.crt")),
            ("CHAINCODE_CLIENT_CA_CERT", path("peer.crt")),
            ("CORE_CHAINCODE_TLS_KEY_FILE", path("client_pem.key")),
            ("CORE_CHAINCODE_TLS_CERT_FILE", path("client_pem.crt")),
            ("CORE_CHAINCODE_TLS_CLIENT_CACERT_FILE", path("peer.crt")),
        ]),
    }
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Where a chaincode that listens is told to do so.
pub fn listening_at(address: SocketAddr) -> [(String, String); 2] {
    ["CHAINCODE_SERVER_ADDRESS", "CORE_CHAINCODE_ADDRESS"]
        .map(|name| (name.to_owned(), address.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use selvedge_buildpack::language::Language;

    use super::*;

    #[test]
    fn each_language_finds_its_peer_in_its_own_way() {
        let of = |language: Language| language.arguments("127.0.0.1:7052");
        assert_eq!(of(Language::Golang), ["-peer.address=127.0.0.1:7052"]);
        assert_eq!(of(Language::Node), ["--peer.address", "127.0.0.1:7052"]);
        assert_eq!(of(Language::Java), ["--peerAddress", "127.0.0.1:7052"]);
    }

    fn plan(content: PackageContent, root: &str) -> LaunchPlan {
        planned(content, Shim::Dials, root)
    }

    fn planned(content: PackageContent, shim: Shim, root: &str) -> LaunchPlan {
        let credentials = ReplicaCredentials {
            certificate: "certificate".into(),
            key: "key".into(),
            root: "root".into(),
        };
        let target = LaunchTarget {
            content,
            shim,
            package_id: "basic_1.0:ab12",
            msp_id: "Org1MSP",
            address: "127.0.0.1:7052",
            root,
        };
        LaunchPlan::new(&target, &credentials)
    }

    /// fabric-builder-k8s `internal/util/k8s.go`, `getChaincodeJobSpec` and
    /// `getChaincodeSecretApplyConfiguration`.
    #[test]
    fn an_image_that_somebody_else_made_is_started_as_by_fabric_builder_k8s() {
        let plan = plan(PackageContent::Image, "");
        let environment: BTreeMap<_, _> = plan.environment.into_iter().collect();
        let expected = [
            ("CORE_CHAINCODE_ID_NAME", "basic_1.0:ab12"),
            ("CORE_PEER_ADDRESS", "127.0.0.1:7052"),
            ("CORE_PEER_TLS_ENABLED", "true"),
            ("CORE_PEER_TLS_ROOTCERT_FILE", "/etc/hyperledger/fabric/peer.crt"),
            ("CORE_TLS_CLIENT_KEY_PATH", "/etc/hyperledger/fabric/client.key"),
            ("CORE_TLS_CLIENT_CERT_PATH", "/etc/hyperledger/fabric/client.crt"),
            ("CORE_TLS_CLIENT_KEY_FILE", "/etc/hyperledger/fabric/client_pem.key"),
            ("CORE_TLS_CLIENT_CERT_FILE", "/etc/hyperledger/fabric/client_pem.crt"),
            ("CORE_PEER_LOCALMSPID", "Org1MSP"),
        ];
        assert_eq!(environment, expected.map(|(name, value)| (name.into(), value.into())).into());
        let files: BTreeMap<_, _> = plan.files.into_iter().collect();
        let expected = [
            ("peer.crt", "root"),
            ("client_pem.crt", "certificate"),
            ("client_pem.key", "key"),
            ("client.crt", "Y2VydGlmaWNhdGU="),
            ("client.key", "a2V5"),
        ];
        let file = |(name, content): (&str, &str)| (format!("{DIRECTORY}/{name}"), content.into());
        assert_eq!(files, expected.map(file).into());
        assert_eq!(plan.arguments, Vec::<String>::new());
    }

    #[test]
    fn one_that_listens_is_told_so_besides() {
        let code = PackageContent::Code(Language::Golang);
        let dials = plan(code, "");
        for (security, expected) in [
            (
                Security::Plain,
                &[
                    "CHAINCODE_ID=basic_1.0:ab12",
                    "CORE_CHAINCODE_ID=basic_1.0:ab12",
                    "CHAINCODE_TLS_DISABLED=true",
                ][..],
            ),
            (
                Security::Tls,
                &[
                    "CHAINCODE_ID=basic_1.0:ab12",
                    "CORE_CHAINCODE_ID=basic_1.0:ab12",
                    "CHAINCODE_TLS_DISABLED=false",
                    "CHAINCODE_TLS_KEY=/etc/hyperledger/fabric/client_pem.key",
                    "CHAINCODE_TLS_CERT=/etc/hyperledger/fabric/client_pem.crt",
                    "CHAINCODE_CLIENT_CA_CERT=/etc/hyperledger/fabric/peer.crt",
                    "CORE_CHAINCODE_TLS_KEY_FILE=/etc/hyperledger/fabric/client_pem.key",
                    "CORE_CHAINCODE_TLS_CERT_FILE=/etc/hyperledger/fabric/client_pem.crt",
                    "CORE_CHAINCODE_TLS_CLIENT_CACERT_FILE=/etc/hyperledger/fabric/peer.crt",
                ],
            ),
        ] {
            let plan = planned(code, Shim::listens(security), "");
            let (same, more) = plan.environment.split_at(dials.environment.len());
            assert_eq!(same, dials.environment);
            let more: Vec<_> = more.iter().map(|(name, value)| format!("{name}={value}")).collect();
            assert_eq!(more, expected);
            assert_eq!(
                (plan.files, plan.arguments),
                (dials.files.clone(), dials.arguments.clone())
            );
        }
    }

    /// Fabric's samples: `docker/docker-entrypoint.sh` of `asset-transfer-basic/chaincode-java` and
    /// `chaincode-typescript`, and the latter's `package.json`.
    #[test]
    fn an_image_that_listens_finds_what_those_of_fabrics_samples_look_for() {
        for (security, enabled, names) in [
            (Security::Plain, "false", &[][..]),
            (
                Security::Tls,
                "true",
                &["privatekey.pem=key", "cert.pem=certificate", "rootcert.pem=root"],
            ),
        ] {
            let plan = planned(PackageContent::Image, Shim::listens(security), "/replica");
            let environment: BTreeMap<_, _> = plan.environment.into_iter().collect();
            assert_eq!(environment["CORE_PEER_TLS_ENABLED"], enabled);
            let disabled = &environment["CHAINCODE_TLS_DISABLED"];
            assert_ne!(disabled, enabled);
            let more: Vec<_> = plan.files[5..]
                .iter()
                .map(|(path, content)| format!("{path}={}", String::from_utf8_lossy(content)))
                .collect();
            let expected: Vec<_> =
                names.iter().map(|file| format!("/replica/hyperledger/{file}")).collect();
            assert_eq!(more, expected);
        }
    }

    #[test]
    fn go_chaincode_is_started_as_by_fabric() {
        let plan = plan(PackageContent::Code(Language::Golang), "/replica");
        let environment: Vec<String> =
            plan.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            environment,
            [
                "CORE_CHAINCODE_ID_NAME=basic_1.0:ab12",
                "CORE_PEER_TLS_ENABLED=true",
                "CORE_PEER_LOCALMSPID=Org1MSP",
                "CORE_PEER_ADDRESS=127.0.0.1:7052",
                "CORE_TLS_CLIENT_KEY_PATH=/replica/etc/hyperledger/fabric/client.key",
                "CORE_TLS_CLIENT_CERT_PATH=/replica/etc/hyperledger/fabric/client.crt",
                "CORE_TLS_CLIENT_KEY_FILE=/replica/etc/hyperledger/fabric/client_pem.key",
                "CORE_TLS_CLIENT_CERT_FILE=/replica/etc/hyperledger/fabric/client_pem.crt",
                "CORE_PEER_TLS_ROOTCERT_FILE=/replica/etc/hyperledger/fabric/peer.crt",
            ]
        );
        assert_eq!(plan.arguments, ["-peer.address=127.0.0.1:7052"]);
        let base64_of_key = ("/replica/etc/hyperledger/fabric/client.key".into(), b"a2V5".to_vec());
        assert_eq!(plan.files[0], base64_of_key);
        let root = ("/replica/etc/hyperledger/fabric/peer.crt".into(), b"root".to_vec());
        assert_eq!(plan.files[4], root);
    }
}
