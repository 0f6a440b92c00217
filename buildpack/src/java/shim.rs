//! Whether a Java chaincode listens for its peer, as its own source has it.

use super::project::JavaProject;
use crate::shim::{Shim, Words};
use crate::source::Source;

/// What a program has that listens: the shim's server, or the variable by which its router starts one
/// (fabric-chaincode-java `shim/NettyChaincodeServer.java`, `contract/ContractRouter.java`). And what
/// one has that does so with TLS: the shim's own settings for it, which the router takes (`shim/
/// ChaincodeBase.java`, `getChaincodeServerConfig`), or the variables for its files.
const WORDS: Words = Words {
    listens: &["NettyChaincodeServer", "NettyGrpcServer", "CHAINCODE_SERVER_ADDRESS"],
    knows_tls: &[
        "getChaincodeServerConfig",
        "ContractRouter.main(",
        "CHAINCODE_TLS_KEY",
        "CORE_TLS_CLIENT_KEY_FILE",
    ],
};

/// Files with code, by the ends of their names.
const CODE: &[&str] = &[".java", ".kt", ".scala", ".groovy"];

/// What of the source is no part of the jar, in Maven's layout and in Gradle's.
const TESTS: &str = "src/test/";

/// What the source says; of ready jars, nothing: the shim's own main class starts them.
pub(super) fn shim(source: &Source) -> Shim {
    match JavaProject::open(source) {
        Ok(JavaProject::Source { directory, .. }) => {
            WORDS.said_in(source.texts(|path| is_own_code(path, directory)))
        }
        // Of what cannot be read so far, the build says why.
        Ok(JavaProject::Jars(_)) | Err(_) => Shim::Dials,
    }
}

fn is_own_code(path: &str, directory: &str) -> bool {
    let below = path.strip_prefix(directory).map(|below| below.trim_start_matches('/'));
    below.is_some_and(|below| !below.starts_with(TESTS))
        && CODE.iter().any(|end| path.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shim::Security;

    fn shim_of(file: &str, text: &str) -> Shim {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        std::fs::write(directory.path().join("src/pom.xml"), "<project/>").unwrap();
        shim(&Source::open(directory.path()).unwrap())
    }

    #[test]
    fn what_the_source_says() {
        let main = "src/src/main/java/example/Main.java";
        let server = "ChaincodeServer server = new NettyChaincodeServer(router, properties);";
        let with_tls = server.replace("properties", "router.getChaincodeServerConfig()");
        for (file, text, expected) in [
            (main, "ContractRouter.main(args);", Shim::Dials),
            (main, "// new NettyChaincodeServer(", Shim::Dials),
            (main, server, Shim::listens(Security::Plain)),
            (main, &*with_tls, Shim::listens(Security::Tls)),
            ("src/src/test/java/example/MainTest.java", server, Shim::Dials),
            ("src/README.md", server, Shim::Dials),
        ] {
            assert_eq!(shim_of(file, text), expected, "{file}: {text}");
        }
    }
}
