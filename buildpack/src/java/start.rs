//! How a chaincode is started, as Fabric's own Java image starts it (`fabric-chaincode-docker/start`
//! of fabric-chaincode-java): a jar that was built here as it says itself, jars that came ready with
//! the shim's own main class.

use crate::image::Start;

/// The shim's main class, which finds the contracts on the class path.
pub(super) const ROUTER: &str = "org.hyperledger.fabric.contract.ContractRouter";

/// Where the chaincode lies.
pub(super) const DIRECTORY: &str = "/usr/local/src";

/// What is built.
pub(super) const JAR: &str = "chaincode.jar";

/// What it depends on, beside it, where that is divided from it: the jar names it as part of its class
/// path. As without it, a JVM is told of the one jar alone, whose manifest says all the rest.
pub(super) const DEPENDENCIES: &str = "lib/dependencies.jar";

/// The directory of that.
pub(super) const LIBRARIES: &str = "lib";

/// Starts the JVM in the shell's place, so that signals reach it, with what `JAVA_OPTS` says last, so
/// that it wins; no word of it is a pattern.
///
/// - Half of the container's memory for the heap: by itself a JVM takes a quarter, and leaves the rest
///   unused; what it needs besides (classes, compiled code, gRPC's buffers, stacks) is some 150 MiB.
/// - No file of counters in `/tmp`, and what native libraries are unpacked to in the replica's own
///   directory where it has one: on the `local` backend nothing is left on the machine.
///
/// No archive of class data: measured on two cores, with Java 17 and the shim 2.5.6, a chaincode dials
/// its peer after 4.2 s with one instead of 4.7 s, most of which goes into the shim's search of the
/// class path; and it is good for the very JVM alone that made it.
const SCRIPT: &str = "set -f; exec java -XX:MaxRAMPercentage=50 -XX:-UsePerfData \
                      -Djava.io.tmpdir=\"${TMPDIR:-/tmp}\" $JAVA_OPTS \"$@\"";

/// What is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Launch {
    /// The jar that was built, by the main class that it names.
    Built,
    /// These jars of the package, by their paths there.
    Ready(Vec<String>),
}

impl Launch {
    /// What an image says of it.
    pub(super) fn start(&self) -> Start {
        let words = match self {
            Self::Built => ["-jar", JAR].map(str::to_owned).to_vec(),
            Self::Ready(jars) => vec!["-cp".to_owned(), jars.join(":"), ROUTER.to_owned()],
        };
        let shell = ["sh", "-c", SCRIPT, "java"].map(str::to_owned);
        Start {
            entrypoint: shell.into_iter().chain(words).collect(),
            directory: DIRECTORY,
            environment: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    /// What a JVM is started with, in an environment with these options.
    fn words(launch: &Launch, options: &str) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let java = directory.path().join("java");
        fs::write(&java, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n").unwrap();
        fs::set_permissions(&java, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap());
        let mut entrypoint = launch.start().entrypoint;
        entrypoint.push("--peerAddress".to_owned());
        let shell = Command::new(&entrypoint[0])
            .args(&entrypoint[1..])
            .env_clear()
            .env("PATH", path)
            .env("JAVA_OPTS", options)
            .env("TMPDIR", "/a place")
            .output()
            .unwrap();
        String::from_utf8(shell.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_the_operator_says_wins() {
        let words = words(&Launch::Built, "-Xmx1g  -Da=*");
        assert_eq!(
            words,
            [
                "-XX:MaxRAMPercentage=50",
                "-XX:-UsePerfData",
                "-Djava.io.tmpdir=/a place",
                "-Xmx1g",
                "-Da=*",
                "-jar",
                "chaincode.jar",
                "--peerAddress",
            ]
        );
    }

    #[test]
    fn ready_jars_are_started_by_the_shims_main_class() {
        let jars = Launch::Ready(vec!["src/a b.jar".to_owned(), "src/c.jar".to_owned()]);
        let expected = ["-cp", "src/a b.jar:src/c.jar", ROUTER, "--peerAddress"];
        assert_eq!(words(&jars, "")[3..], expected);
    }
}
