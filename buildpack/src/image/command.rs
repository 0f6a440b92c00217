//! What an image's configuration has a container run (the OCI image specification, `config.md`).

use serde::Deserialize;

/// What a container of an image runs that is told nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageCommand {
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// The arguments that follow unless there are others; of an image without an entrypoint the
    /// program as well.
    pub cmd: Vec<String>,
}

/// Null, which Docker writes, is nothing.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Process {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Configuration {
    config: Option<Process>,
}

impl ImageCommand {
    /// What a configuration says; none if that is nothing.
    pub fn read(configuration: &[u8]) -> serde_json::Result<Option<Self>> {
        let Configuration { config } = serde_json::from_slice(configuration)?;
        let Process { entrypoint, cmd } = config.unwrap_or_default();
        let command =
            Self { entrypoint: entrypoint.unwrap_or_default(), cmd: cmd.unwrap_or_default() };
        Ok(Some(command).filter(|command| *command != Self::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_says_what_it_runs_or_nothing() {
        for (configuration, expected) in [
            (
                r#"{"config": {"Entrypoint": ["/x"], "Cmd": ["-y"]}}"#,
                Some((&["/x"][..], &["-y"][..])),
            ),
            (r#"{"config": {"Entrypoint": null, "Cmd": ["/y"]}}"#, Some((&[], &["/y"]))),
            (r#"{"config": {"Env": ["A=b"]}}"#, None),
            (r#"{"config": null}"#, None),
            (r#"{"os": "linux"}"#, None),
        ] {
            let read = ImageCommand::read(configuration.as_bytes()).unwrap();
            let read = read.as_ref().map(|command| (&*command.entrypoint, &*command.cmd));
            let same = |one: &[String], other: &[&str]| one == other;
            let is_so = match (read, expected) {
                (Some(read), Some(expected)) => {
                    same(read.0, expected.0) && same(read.1, expected.1)
                }
                (read, expected) => read.is_none() && expected.is_none(),
            };
            assert!(is_so, "{configuration}: {read:?}");
        }
        ImageCommand::read(br#"{"config": {"Cmd": "/y"}}"#).unwrap_err();
    }
}
