//! Whether a Go chaincode listens for its peer, as its own source has it.

use super::{GoCode, GoError, GoPath};
use crate::shim::{Security, Shim, Words, is_comment};
use crate::source::Source;

/// What a program has that listens: the shim's type, or the variable that says where, which the
/// contract API reads too (fabric-chaincode-go `shim/chaincodeserver.go`, fabric-contract-api-go
/// `contractapi/contract_chaincode.go`). And what one has that does so with TLS: the variables of
/// Fabric's samples (`asset-transfer-basic/chaincode-external`), or those of a chaincode that dials.
const WORDS: Words = Words {
    listens: &["shim.ChaincodeServer", "CHAINCODE_SERVER_ADDRESS"],
    knows_tls: &["CHAINCODE_TLS_KEY", "CORE_TLS_CLIENT_KEY_FILE"],
};

/// What the main package's own files say.
pub(super) fn shim(source: &Source, path: &GoPath) -> Result<Shim, GoError> {
    let files = GoCode::find(&source.paths(), path)?.main_files(source)?;
    Ok(of(files.iter().map(|(_, text)| text.as_str())))
}

fn of<'a>(files: impl Iterator<Item = &'a str> + Clone) -> Shim {
    let said = WORDS.said_in(files.clone());
    if said == Shim::listens(Security::Tls) && never_has_tls(files) {
        Shim::listens(Security::Plain)
    } else {
        said
    }
}

/// Whether the one value that there is of the shim's `TLSProperties` is disabled, whatever the
/// environment says. Where there are several, one may be for who has no certificate.
fn never_has_tls<'a>(files: impl Iterator<Item = &'a str>) -> bool {
    let (mut values, mut is_disabled) = (0, false);
    for line in files.flat_map(str::lines).filter(|line| !is_comment(line)) {
        values += line.matches("TLSProperties{").count();
        let words = line.split(|c: char| c.is_whitespace() || ",{}".contains(c));
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        is_disabled |= words.windows(2).any(|pair| pair == ["Disabled:", "true"]);
    }
    values == 1 && is_disabled
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
        let without = "if key == nil { return shim.TLSProperties{Disabled: true} }";
        let [plain, tls] = [Security::Plain, Security::Tls].map(Shim::listens);
        for (files, expected) in [
            (vec![start], Shim::Dials),
            (vec![start, "// CHAINCODE_SERVER_ADDRESS is not read"], Shim::Dials),
            (vec![start, key], Shim::Dials),
            (vec![server], plain),
            (vec![start, server], plain),
            (vec![server, key], tls),
            (vec![server, key, "p := shim.TLSProperties{", "\tDisabled:   true,", "}"], plain),
            (vec![server, key, "p := shim.TLSProperties{Disabled: key == nil}"], tls),
            (vec![server, key, without, "return shim.TLSProperties{Key: key}"], tls),
        ] {
            assert_eq!(of(files.iter().copied()), expected, "{files:?}");
        }
    }
}
