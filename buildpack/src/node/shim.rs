//! Whether a Node chaincode listens for its peer, as its scripts and its own source have it.

use super::files::DIRECTORY;
use super::package_json::PackageJson;
use super::project::{NodeError, NodeProject};
use super::start::{LAUNCHER, LAUNCHER_FILE, SERVER};
use crate::shim::{Security, Shim, Words};
use crate::source::Source;

/// What a program has that listens without the shim's launcher: the shim's method, or the variables
/// that say where (fabric-chaincode-node `libraries/fabric-shim/lib/chaincode.js` and
/// `lib/cmds/serverCommand.js`). And what one has that does so with TLS: the method's option, or the
/// variables for its files.
const WORDS: Words = Words {
    listens: &[
        "shim.server(",
        "Shim.server(",
        "CHAINCODE_SERVER_ADDRESS",
        "CORE_CHAINCODE_ADDRESS",
    ],
    knows_tls: &["tlsProps", "CHAINCODE_TLS_KEY", "CORE_TLS_CLIENT_KEY"],
};

/// Files with code, by the ends of their names.
const CODE: &[&str] = &[".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"];

/// What is not the chaincode's own.
const DEPENDENCIES: &str = "/node_modules/";

/// How many scripts may call one another: more than people write.
const DEEPEST: usize = 4;

/// What the package says.
pub(super) fn shim(source: &Source) -> Result<Shim, NodeError> {
    let package = NodeProject::package(&source.paths(), &source.root().join(DIRECTORY))?;
    let called = package.script("start").map_or_else(Vec::new, |start| called(&package, start, 0));
    Ok(if called.is_empty() {
        WORDS.said_in(source.texts(is_own_code))
    } else if called.iter().all(|command| *command == SERVER) {
        // Of its files the launcher is told by variables.
        Shim::listens(Security::Tls)
    } else {
        Shim::Dials
    })
}

/// The commands that the shim's launcher is called with in a script, and in those that it calls.
fn called<'a>(package: &'a PackageJson, script: &'a str, depth: usize) -> Vec<&'a str> {
    let words: Vec<&str> = script.split_whitespace().collect();
    let mut commands = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let next = |further: usize| words.get(at + further).copied().unwrap_or_default();
        if word.ends_with(LAUNCHER) || word.ends_with(LAUNCHER_FILE) {
            // One that is a variable's to say is nobody's to know.
            commands.push(next(1).trim_end_matches(';'));
        } else if ["npm", "yarn", "pnpm"].contains(word) && next(1) == "run" && depth < DEEPEST {
            let script = package.script(next(2)).unwrap_or_default();
            commands.extend(called(package, script, depth + 1));
        }
    }
    commands
}

fn is_own_code(path: &str) -> bool {
    CODE.iter().any(|end| path.ends_with(end)) && !path.contains(DEPENDENCIES)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a package whose script `start` is this, with an `index.js`.
    fn shim_of(start: &str, index: &str) -> Shim {
        let directory = tempfile::tempdir().unwrap();
        let src = directory.path().join("src");
        let dependency = src.join("node_modules/fabric-shim/lib");
        std::fs::create_dir_all(&dependency).unwrap();
        std::fs::write(dependency.join("bootstrap.js"), "shim.server(chaincode, opts)").unwrap();
        let start = start.replace('"', "\\\"");
        let package = format!(
            r#"{{"scripts": {{"start": "{start}", "serve": "fabric-chaincode-node server"}}}}"#
        );
        std::fs::write(src.join("package.json"), package).unwrap();
        std::fs::write(src.join("index.js"), index).unwrap();
        shim(&Source::open(directory.path()).unwrap()).unwrap()
    }

    #[test]
    fn what_the_shims_launcher_is_called_with() {
        let server = "const server = shim.server(chaincode, { ccid, address });";
        for (start, listens) in [
            ("fabric-chaincode-node start", false),
            ("set -x && fabric-chaincode-node start", false),
            ("fabric-chaincode-node server", true),
            // As in Fabric's samples (`start:server-nontls`).
            (
                "set -x && fabric-chaincode-node server \
                 --chaincode-address=$CHAINCODE_SERVER_ADDRESS --chaincode-id=$CHAINCODE_ID",
                true,
            ),
            ("NODE_OPTIONS='--inspect' npx fabric-chaincode-node server", true),
            ("node node_modules/fabric-shim/cli.js server", true),
            ("npm run serve", true),
            ("npm run start", false),
            ("if [ -n \"$X\" ]; then fabric-chaincode-node server; else npm run dial; fi", true),
            ("[ -n \"$X\" ] && npm run serve || fabric-chaincode-node start", false),
            ("fabric-chaincode-node $MODE", false),
        ] {
            let expected = if listens { Shim::listens(Security::Tls) } else { Shim::Dials };
            assert_eq!(shim_of(start, ""), expected, "{start}");
            if !listens && !start.starts_with("npm") {
                assert_eq!(shim_of(start, server), Shim::Dials, "{start}");
            }
        }
    }

    #[test]
    fn what_a_program_of_its_own_says() {
        let server = "const server = shim.server(chaincode, {\n    ccid, address\n});";
        let with_tls = server.replace("address", "address, tlsProps: { key, cert }");
        for (index, expected) in [
            ("shim.start(chaincode);", Shim::Dials),
            ("// shim.server(chaincode) is not called", Shim::Dials),
            (" * @see shim.server(chaincode)", Shim::Dials),
            (server, Shim::listens(Security::Plain)),
            (&with_tls, Shim::listens(Security::Tls)),
        ] {
            assert_eq!(shim_of("node index.js", index), expected, "{index}");
        }
    }
}
