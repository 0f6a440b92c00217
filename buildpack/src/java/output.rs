//! What a failed build has to say to the person who installed the chaincode.

/// The most lines worth showing.
const MOST_LINES: usize = 8;

/// The longest line, in characters; the peer's log is for people.
const LONGEST_LINE: usize = 500;

/// What Maven says behind its errors of how it is used, and of itself.
const ADVICE: &[&str] = &[
    "COMPILATION ERROR",
    "Failed to execute goal org.apache.maven.plugins:maven-compiler-plugin",
    "-> [Help",
    "[Help",
    "To see the full stack trace",
    "Re-run Maven",
    "For more information",
    "After correcting the problems",
    "mvn <args>",
];

/// By which words Maven, Gradle and their wrappers say that something could not be fetched.
const NOT_FETCHED: &[&str] = &[
    "Could not resolve",
    "could not be resolved",
    "Could not find artifact",
    "was not found in",
    "Could not transfer",
    "Failed to fetch",
    "UnknownHostException",
    "Exception in thread \"main\" java.net.",
    "Exception in thread \"main\" java.io.IOException",
    "curl:",
    "wget:",
];

/// What somebody needs to know whose dependencies cannot be fetched.
pub(super) const REPOSITORIES: &str = "dependencies come from Maven Central, or from where the package's \
                            pom.xml or build.gradle has them: a proxy is named by HTTPS_PROXY in the \
                            environment of `selvedge` or of the launcher, another repository in \
                            ~/.m2/settings.xml; for builds in a cluster by HTTPS_PROXY and MVNW_REPOURL \
                            in `builds.environment` of the operator's file; where a wrapper fetches \
                            Gradle from, SELVEDGE_GRADLE_DISTRIBUTIONS says there";

/// What somebody needs to know whose package brings its dependencies, if not all of them.
pub(super) const PACKED: &str = "nothing is fetched for a package that brings a maven-repository: it has \
                                 what the Maven took that made it, and another Maven takes other plugins, \
                                 unless the pom.xml names the versions of all; package it with the \
                                 launcher's Maven";

/// The first lines that tell what is wrong, at most eight; and the one for who could not fetch if
/// something was not.
pub(super) fn first_errors(output: &str, unfetched: &str) -> Vec<String> {
    let lines: Vec<&str> = output.lines().map(str::trim_end).collect();
    let mut errors = of_maven(&lines);
    if errors.is_empty() {
        errors = of_gradle(&lines);
    }
    if errors.is_empty() {
        let said: Vec<&str> = lines.iter().copied().filter(|line| !line.is_empty()).collect();
        errors = said[said.len().saturating_sub(MOST_LINES)..].to_vec();
    }
    let mut shown: Vec<String> = Vec::new();
    for line in errors {
        let line = self::shown(line);
        // Maven says all that the compiler said once more.
        if shown.len() < MOST_LINES && !shown.contains(&line) {
            shown.push(line);
        }
    }
    if shown.iter().any(|line| NOT_FETCHED.iter().any(|words| line.contains(words))) {
        shown.push(unfetched.to_owned());
    }
    shown
}

/// What Maven complains of, without its advice.
fn of_maven<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let errors = lines.iter().filter_map(|line| line.strip_prefix("[ERROR]").map(str::trim));
    errors
        .filter(|line| !line.is_empty() && !ADVICE.iter().any(|advice| line.starts_with(advice)))
        .collect()
}

/// What compilers say, what Gradle says went wrong, and what its wrapper fails of before that.
fn of_gradle<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let compilers = lines.iter().copied().filter(|line| {
        line.contains(".java:") && line.contains(": error: ") || line.starts_with("e: ")
    });
    let summary = lines.iter().copied().skip_while(|line| *line != "* What went wrong:").skip(1);
    let summary = summary.take_while(|line| *line != "* Try:").filter(|line| !line.is_empty());
    let of_wrapper = lines.iter().copied().filter(|line| line.starts_with("Exception in thread"));
    compilers.chain(summary).chain(of_wrapper).collect()
}

fn shown(line: &str) -> String {
    line.replace('\t', "    ").chars().filter(|c| !c.is_control()).take(LONGEST_LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compilers_own_words_once() {
        let output = "[INFO] Compiling\n[ERROR] COMPILATION ERROR : \n\
                      [ERROR] src/main/java/A.java:[10,5] cannot find symbol\n\
                      [ERROR]   symbol:   class B\n[INFO] 1 error\n[INFO] BUILD FAILURE\n\
                      [ERROR] Failed to execute goal org.apache.maven.plugins:\
                      maven-compiler-plugin:3.13.0:compile (default-compile) on project a: \
                      Compilation failure: Compilation failure: \n\
                      [ERROR] src/main/java/A.java:[10,5] cannot find symbol\n\
                      [ERROR]   symbol:   class B\n[ERROR] -> [Help 1]\n[ERROR] \n\
                      [ERROR] To see the full stack trace of the errors, re-run Maven with -e\n\
                      [ERROR] [Help 1] http://cwiki.example\n";
        let told = ["src/main/java/A.java:[10,5] cannot find symbol", "symbol:   class B"];
        assert_eq!(first_errors(output, REPOSITORIES), told);
    }

    #[test]
    fn what_cannot_be_fetched() {
        for line in [
            "[ERROR] Failed to execute goal on project a: Could not resolve dependencies for project \
             example:a:jar:1: Could not find artifact no.such:thing:jar:1 in central",
            "[ERROR] Plugin a:b:1 or one of its dependencies could not be resolved",
            "* What went wrong:\n> Could not resolve no.such:thing:1.\n\n* Try:\n> more\n",
            "curl: (6) Could not resolve host: repo.example\n",
            "Exception in thread \"main\" java.net.ConnectException: refused\n\tat a.B(B.java)\n",
        ] {
            let told = first_errors(line, REPOSITORIES);
            assert!(told.len() == 2 && told[1].contains("MVNW_REPOURL"), "{told:?}");
        }
    }

    #[test]
    fn what_gradle_says() {
        let output = "> Task :compileJava FAILED\nsrc/main/java/A.java:3: error: ';' expected\n\
                      int a\n     ^\n1 error\n\nFAILURE: Build failed with an exception.\n\n\
                      * What went wrong:\nExecution failed for task ':compileJava'.\n\
                      > Compilation failed; see the compiler output below.\n\n* Try:\n> Run with\n";
        assert_eq!(
            first_errors(output, REPOSITORIES),
            [
                "src/main/java/A.java:3: error: ';' expected",
                "Execution failed for task ':compileJava'.",
                "> Compilation failed; see the compiler output below.",
            ]
        );
    }

    #[test]
    fn otherwise_the_last_lines() {
        let lines: Vec<String> = (1..=20).map(|line| line.to_string()).collect();
        assert_eq!(first_errors(&lines.join("\n"), REPOSITORIES)[MOST_LINES - 1], "20");
        assert!(first_errors("", REPOSITORIES).is_empty());
    }
}
