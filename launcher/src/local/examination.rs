//! What the `local` backend needs of its machine, looked at.

use std::path::Path;

use selvedge_buildpack::language::Language;
use tokio_util::task::AbortOnDropHandle;

use super::compile::version;
use super::confinement::Confinement;
use super::tools::Tools;
use crate::error_chain::one_line;
use crate::examination::{Finding, disk, doubtful, good};

/// Of chaincode and builds.
const CONFINEMENT: &str = "confinement";

pub(super) async fn examine(
    confinement: &Confinement,
    tools: &[Tools],
    data: &Path,
) -> Vec<Finding> {
    let mut found = confined(confinement.lacking());
    found.extend(
        tools.first().filter(|tools| !tools.own().starts_with(data)).map(|tools| disk(tools.own())),
    );
    // Side by side: some are JVMs, which take a second and more.
    let mut asked: Vec<_> = tools
        .iter()
        .filter_map(|tools| {
            let command = tools.language.version(&tools.toolchain)?;
            let asked = tokio::spawn(async move { version(&command).await });
            Some((tools.language, AbortOnDropHandle::new(asked)))
        })
        .collect();
    for (language, asked) in &mut asked {
        let answer = asked.await.map_err(|error| one_line(&error));
        let version = answer.and_then(|version| version.map_err(|error| one_line(&error)));
        found.push(toolchain(*language, version));
    }
    found
}

fn confined(lacking: &[String]) -> Vec<Finding> {
    if lacking.is_empty() {
        return vec![good(
            CONFINEMENT,
            "chaincode and builds see nothing of others on this machine",
        )];
    }
    let way_out = "what has to be allowed for more stands there";
    lacking.iter().map(|lack| doubtful(CONFINEMENT, lack, way_out)).collect()
}

/// Who installs no chaincode in a language needs nothing for it.
fn toolchain(language: Language, version: Result<String, String>) -> Finding {
    let about = format!("tools for {language}");
    match version {
        Ok(version) => good(about, version),
        Err(reason) => doubtful(
            about,
            reason,
            format!(
                "install them for all users, and start the launcher with them in its PATH; \
                     without them no {language} chaincode is built here"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use selvedge_proto::launcher::Verdict;

    use super::*;

    #[test]
    fn what_is_there_and_what_is_not() {
        let [fine] = &confined(&[])[..] else { panic!("one is enough") };
        assert_eq!(fine.verdict, Verdict::Good);
        let lacking = confined(&["it has no Landlock".into()]);
        assert_eq!(
            (lacking[0].verdict, &*lacking[0].said),
            (Verdict::Doubtful, "it has no Landlock")
        );
        let there = toolchain(Language::Golang, Ok("go1.26.8".into()));
        assert_eq!((there.verdict, &*there.said), (Verdict::Good, "go1.26.8"));
        let missing = toolchain(Language::Java, Err("cannot run java".into()));
        assert_eq!(missing.verdict, Verdict::Doubtful);
        assert!(missing.way_out.contains("no java chaincode"), "{missing:?}");
    }
}
