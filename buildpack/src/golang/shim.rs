//! Whether a Go chaincode listens for its peer, as its own source has it.

use super::{GoCode, GoError, GoPath};
use crate::shim::{Security, Shim};
use crate::source::Source;

/// What a program has that listens: the shim's type, or the variable that says where, which the
/// contract API reads too (fabric-chaincode-go `shim/chaincodeserver.go`, fabric-contract-api-go
/// `contractapi/contract_chaincode.go`).
const LISTENS: &[&str] = &["shim.ChaincodeServer", "CHAINCODE_SERVER_ADDRESS"];

/// What one has that listens with TLS if it is told to: the variables of Fabric's samples
/// (`asset-transfer-basic/chaincode-external`), or those of a chaincode that dials.
const KNOWS_TLS: &[&str] = &["CHAINCODE_TLS_KEY", "CORE_TLS_CLIENT_KEY_FILE"];

/// What the main package's own files say.
pub(super) fn shim(source: &Source, path: &GoPath) -> Result<Shim, GoError> {
    let files = GoCode::find(&source.paths(), path)?.main_files(source)?;
    Ok(of(files.iter().map(|(_, text)| text.as_str())))
}

fn of<'a>(files: impl Iterator<Item = &'a str>) -> Shim {
    let lines: Vec<&str> =
        files.flat_map(str::lines).filter(|line| !line.trim_start().starts_with("//")).collect();
    let has =
        |words: &[&str]| lines.iter().any(|line| words.iter().any(|word| line.contains(word)));
    match (has(LISTENS), has(KNOWS_TLS)) {
        (false, _) => Shim::Dials,
        (true, true) => Shim::Listens(Security::Tls),
        (true, false) => Shim::Listens(Security::Plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_main_package_says() {
        let start = "func main() { shim.Start(contract{}) }";
        let server =
            "server := &shim.ChaincodeServer{Address: os.Getenv(\"CHAINCODE_SERVER_ADDRESS\")}";
        let key = "key := os.Getenv(\"CHAINCODE_TLS_KEY\")";
        for (files, expected) in [
            (vec![start], Shim::Dials),
            (vec![start, "// CHAINCODE_SERVER_ADDRESS is not read"], Shim::Dials),
            (vec![start, key], Shim::Dials),
            (vec![server], Shim::Listens(Security::Plain)),
            (vec![start, server], Shim::Listens(Security::Plain)),
            (vec![server, key], Shim::Listens(Security::Tls)),
        ] {
            assert_eq!(of(files.iter().copied()), expected, "{files:?}");
        }
    }
}
