//! Commands run in the workspace.

use std::env;
use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use testbed::dist::workspace_dir;

/// The cargo that runs us, in the workspace.
pub fn cargo(arguments: &[&str]) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(workspace_dir());
    command
}

/// Runs `command` with our own output; an exit status that is not 0 is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    let status = command.status().with_context(|| format!("cannot run `{line}`"))?;
    ensure!(status.success(), "`{line}` ended with {status}");
    Ok(())
}

/// Runs `command` and returns what it printed; an exit status that is not 0 is an error with
/// both its outputs.
pub fn output(command: &mut Command) -> Result<String> {
    let line = line(command);
    let output = command.output().with_context(|| format!("cannot run `{line}`"))?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "`{line}` ended with {}\n{stdout}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(stdout.into_owned())
}

fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The first thing that somebody sees who has cloned the repository: that something is done.
    #[test]
    fn what_compiles_xtask_is_seen_to_do_so() {
        let clone = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            let path = clone.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        let alias = fs::read_to_string(workspace_dir().join(".cargo/config.toml")).unwrap();
        write(".cargo/config.toml", &alias);
        write("Cargo.toml", "[package]\nname = \"xtask\"\nedition = \"2024\"\n");
        write("src/main.rs", "fn main() {}");
        let mut xtask = cargo(&["xtask", "demo"]);
        let run = xtask
            .current_dir(clone.path())
            .env("CARGO_TARGET_DIR", clone.path().join("target"))
            .env_remove("CARGO_TERM_QUIET")
            .output()
            .unwrap();
        let seen = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() && seen.contains("Compiling xtask"), "{seen}");
    }
}
