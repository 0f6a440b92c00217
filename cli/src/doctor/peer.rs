//! What a peer is told of its builders and certificates: by its `core.yaml`, and by variables, which
//! win, as viper reads both (Fabric `core/peer/config.go`, `cmd/peer/main.go`).

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::finding::Finding;

/// The variable that says where `core.yaml` is, and where it is in Fabric's image.
const PLACE: &str = "FABRIC_CFG_PATH";
const USUAL: &str = "/etc/hyperledger/fabric";

/// The variable that says all builders, as YAML.
const BUILDERS: &str = "CORE_CHAINCODE_EXTERNALBUILDERS";

/// More is no such file, in bytes.
const LONGEST: u64 = 1 << 20;

/// The keys of certificates.
const CERTIFICATES: [[&str; 4]; 3] = [
    ["peer", "tls", "cert", "file"],
    ["peer", "tls", "rootcert", "file"],
    ["peer", "tls", "clientCert", "file"],
];

/// What a peer is told.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// Where that was read.
    pub(super) source: String,
    /// In the order in which they are asked.
    pub(super) builders: Vec<Builder>,
    pub(super) certificates: Vec<PathBuf>,
}

/// An external builder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Builder {
    pub(super) name: String,
    /// What has its `bin`.
    pub(super) path: PathBuf,
    pub(super) propagated: Vec<String>,
}

/// Reads what this machine has.
pub(super) fn read(named: Option<&Path>) -> Result<Peer, Finding> {
    let place = env::var_os(PLACE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let usual = place.unwrap_or_else(|| USUAL.into()).join("core.yaml");
    let file = named.unwrap_or(&usual);
    let variable = env::var(BUILDERS).ok().filter(|text| !text.trim().is_empty());
    let about = "peer's configuration";
    let way_out = "run it where the peer is, as its user, or name its core.yaml by --peer-config";
    let text = match fs::metadata(file).map(|there| there.len()) {
        Ok(..=LONGEST) => fs::read_to_string(file),
        Ok(_) => {
            return Err(Finding::bad(about, format!("{} is too long", file.display()), way_out));
        }
        Err(error) => Err(error),
    };
    match (text, variable) {
        (Ok(text), variable) => of(file, &text, variable.as_deref())
            .map_err(|reason| Finding::bad(about, reason, "put the file or the variable right")),
        // All of it may be said by variables.
        (Err(_), Some(variable)) => of(file, "", Some(&variable))
            .map_err(|reason| Finding::bad(about, reason, "put the variable right")),
        (Err(error), None) => {
            let said = format!("{} cannot be read: {error}", file.display());
            Err(match named {
                Some(_) => Finding::bad(about, said, way_out),
                None => Finding::unseen(about, said, way_out),
            })
        }
    }
}

/// What a file says, and the variable that stands before it.
fn of(file: &Path, text: &str, variable: Option<&str>) -> Result<Peer, String> {
    let parse = |what: &str, text: &str| -> Result<Value, String> {
        serde_saphyr::from_str(text).map_err(|error| format!("{what} is no YAML: {error}"))
    };
    let core = match text {
        "" => Value::Null,
        text => parse(&file.display().to_string(), text)?,
    };
    let (builders, source) = if let Some(text) = variable {
        (parse(BUILDERS, text)?, BUILDERS.to_owned())
    } else {
        let listed = at(&core, &["chaincode", "externalBuilders"]).cloned();
        (listed.unwrap_or_default(), file.display().to_string())
    };
    let builders = match builders {
        Value::Null => Vec::new(),
        Value::Array(all) => {
            all.iter().map(builder).collect::<Option<_>>().ok_or_else(|| {
                format!("{source} has an external builder without a name or a path")
            })?
        }
        _ => return Err(format!("the external builders in {source} are no list")),
    };
    let base = file.parent().unwrap_or(Path::new("/"));
    let named = CERTIFICATES.iter().filter_map(|key| at(&core, key)?.as_str());
    // Relative to where the file is (Fabric `core/config/config.go`, `TranslatePath`).
    let certificates = named.filter(|path| !path.is_empty()).map(|path| base.join(path)).collect();
    Ok(Peer { source, builders, certificates })
}

fn builder(value: &Value) -> Option<Builder> {
    let text = |key| Some(at(value, &[key])?.as_str()?.to_owned());
    let variables = ["propagateEnvironment", "environmentWhitelist"];
    let lists = variables.iter().filter_map(|key| at(value, &[key])?.as_array());
    let propagated = lists.flatten().filter_map(|name| Some(name.as_str()?.to_owned())).collect();
    let path = text("path").filter(|path| !path.is_empty())?.into();
    Some(Builder { name: text("name").filter(|name| !name.is_empty())?, path, propagated })
}

/// The value at a path of keys, of which none knows capitals.
fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| {
        let map = value.as_object()?;
        map.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    })
}

/// That it was found.
pub(super) fn found(peer: &Peer) -> Finding {
    let names: Vec<&str> = peer.builders.iter().map(|builder| &*builder.name).collect();
    let about = "peer's configuration";
    if names.is_empty() {
        return Finding::bad(
            about,
            format!("{} names no external builder", peer.source),
            "add chaincode.externalBuilders: [{name: selvedge, path: /opt/selvedge}], and start the \
             peer again",
        );
    }
    let named = names.join(", ");
    Finding::good(about, format!("{} names the external builders {named}", peer.source))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    fn read(text: &str, variable: Option<&str>) -> Result<Peer, String> {
        of(Path::new("/config/core.yaml"), text, variable)
    }

    const CORE: &str = "peer:\n  tls:\n    cert: {file: tls/server.crt}\n    rootcert: {file: ''}\n\
                        chaincode:\n  externalbuilders:\n    - {name: one, path: /one}\n    \
                        - {Name: two, path: /two, propagateEnvironment: [A, B]}\n";

    #[test]
    fn builders_in_their_order_and_certificates() {
        let peer = read(CORE, None).unwrap();
        assert_eq!(peer.source, "/config/core.yaml");
        let [one, two] = &peer.builders[..] else { panic!("{peer:?}") };
        assert_eq!((&*one.name, one.path.as_path()), ("one", Path::new("/one")));
        assert_eq!((&*two.name, &two.propagated[..]), ("two", &["A".to_owned(), "B".into()][..]));
        assert_eq!(peer.certificates, [PathBuf::from("/config/tls/server.crt")]);
        assert_eq!(found(&peer).verdict, Verdict::Good);
    }

    #[test]
    fn a_variable_stands_before_the_file() {
        let peer = read(CORE, Some("[{name: three, path: /three}]")).unwrap();
        assert_eq!((&*peer.source, &*peer.builders[0].name), (BUILDERS, "three"));
        assert_eq!(peer.certificates.len(), 1);
        assert_eq!(read("", Some("[{name: three, path: /three}]")).unwrap().builders.len(), 1);
    }

    #[test]
    fn none_and_what_is_none() {
        for nothing in ["", "peer: {}\n", "chaincode: {externalBuilders: []}\n"] {
            assert_eq!(found(&read(nothing, None).unwrap()).verdict, Verdict::Bad, "{nothing}");
        }
        for (text, variable, told) in [
            ("chaincode: {externalBuilders: [{name: x}]}", None, "without a name or a path"),
            ("chaincode: {externalBuilders: text}", None, "are no list"),
            ("a: [", None, "/config/core.yaml is no YAML"),
            ("", Some("[{"), "CORE_CHAINCODE_EXTERNALBUILDERS is no YAML"),
        ] {
            let error = read(text, variable).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
