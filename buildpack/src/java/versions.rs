//! The versions of Java and of what builds with it.

use std::path::Path;

use super::tool::Tool;
use crate::recipe::{BuildCommand, Toolchain};

/// Of those that build, none may do, where a package brings a wrapper or a ready jar. Each is a JVM that
/// takes a second to say it. Debian's Maven colours its own, whoever reads it.
const BEGINNING: &str = "java=$(java -version 2>&1) || { echo 'there is no java in the PATH'; exit 1; }\n\
    first() { pattern=\"$1 [^[:cntrl:]]*\"; shift; command -v \"$1\" >/dev/null \
    && \"$@\" 2>/dev/null | grep -o -m 1 \"$pattern\" || echo none; }\n\
    echo $java";

/// What prints the versions of Java and of these tools in one line.
pub(super) fn versions(toolchain: &Toolchain, tools: &[Tool]) -> BuildCommand {
    let asked = tools.iter().map(|tool| match tool {
        Tool::Maven => ", $(first 'Apache Maven' mvn --batch-mode --version)",
        Tool::Gradle => ", $(first Gradle gradle --version)",
    });
    let script: String = [BEGINNING].into_iter().chain(asked).collect();
    toolchain.command("sh", vec!["-c".into(), script.into()], &[], Path::new("/"))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::language::Language;

    /// What is said of these tools where this is all that there is, and whether it is of use.
    fn said(there: &Path, tools: &[Tool]) -> (bool, String) {
        let toolchain = Language::Java.toolchain([("PATH".into(), there.into())], there).unwrap();
        let command = versions(&toolchain, tools);
        let output = Command::new("/bin/sh")
            .args(&command.arguments)
            .env_clear()
            .envs(command.environment)
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    }

    /// By tools that are there, and some that are not.
    #[test]
    fn in_one_line() {
        let directory = tempfile::tempdir().unwrap();
        let there = directory.path();
        let tool = |name: &str, text: &str| {
            let path = there.join(name);
            fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        };
        let grep = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|path| path.join("grep"))
            .find(|grep| grep.is_file());
        std::os::unix::fs::symlink(grep.unwrap(), there.join("grep")).unwrap();

        let both = [Tool::Maven, Tool::Gradle];
        assert_eq!(said(there, &both), (false, "there is no java in the PATH\n".to_owned()));
        tool("java", "echo 'openjdk version \"17\"' >&2; echo 'build 1' >&2");
        let java = "openjdk version \"17\" build 1";
        assert_eq!(said(there, &both), (true, format!("{java}, none, none\n")));
        tool(
            "mvn",
            "printf 'warning\\n\\033[1mApache Maven 3.9.9 (abc)\\033[m\\nJava version: 17\\n'",
        );
        let maven = "Apache Maven 3.9.9 (abc)";
        assert_eq!(said(there, &both), (true, format!("{java}, {maven}, none\n")));
        tool("gradle", "echo; echo ------; echo 'Gradle 8.14'; echo 'Kotlin: 2'");
        assert_eq!(said(there, &both), (true, format!("{java}, {maven}, Gradle 8.14\n")));
        assert_eq!(said(there, &[Tool::Gradle]), (true, format!("{java}, Gradle 8.14\n")));
        assert_eq!(said(there, &[]), (true, format!("{java}\n")));
    }
}
