//! What a failed install or build has to say to the person who installed the chaincode.

/// The most lines worth showing.
const MOST_LINES: usize = 8;

/// The longest line, in characters; the peer's log is for people.
const LONGEST_LINE: usize = 500;

/// How npm begins the lines of its own complaints, in this time and before npm 10.
const COMPLAINTS: [&str; 2] = ["npm error", "npm ERR!"];

/// By which words npm, Yarn and pnpm say that a registry did not have, or give, a package.
const NOT_FETCHED: &[&str] = &[
    "E401",
    "E403",
    "E404",
    "ENOTFOUND",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "EAI_AGAIN",
    "SELF_SIGNED_CERT",
    "UNABLE_TO_",
    "ERR_PNPM_FETCH",
    "ERR_SOCKET_TIMEOUT",
];

/// What somebody needs to know whose packages cannot be fetched.
pub(super) const REGISTRIES: &str = "packages come from the registry that the package's .npmrc or \
                          npm_config_registry names: set npm_config_* in the environment of \
                          `selvedge` or of the launcher, for builds in a cluster in \
                          `builds.environment` of the operator's file";

/// The first lines that tell what is wrong, at most eight; and one on registries if a package could
/// not be fetched.
///
/// A compiler's own errors come before what npm says of the script that ran it.
pub(super) fn first_errors(output: &str) -> Vec<String> {
    let lines: Vec<&str> = output.lines().map(str::trim_end).collect();
    let mut errors = of_tools(&lines);
    if errors.is_empty() {
        errors = of_npm(&lines);
    }
    if errors.is_empty() {
        let said: Vec<&str> = lines.iter().copied().filter(|line| !line.is_empty()).collect();
        errors = said[said.len().saturating_sub(MOST_LINES)..].to_vec();
    }
    let mut shown: Vec<String> =
        errors.iter().take(MOST_LINES).map(|line| self::shown(line)).collect();
    if shown.iter().any(|line| NOT_FETCHED.iter().any(|words| line.contains(words))) {
        shown.push(REGISTRIES.to_owned());
    }
    shown
}

/// What compilers and other tools complain of.
fn of_tools<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let of_tool = |line: &&&str| !line.starts_with("npm ") && !line.starts_with("> ");
    let is_error = |line: &&str| {
        ["error TS", ": error", "Error: ", "error Command", "ERR_PNPM"]
            .iter()
            .any(|words| line.contains(words))
            || line.starts_with("error ")
    };
    lines.iter().filter(of_tool).copied().filter(is_error).collect()
}

/// What npm complains of, without its advice on how it is used and where its log is.
fn of_npm<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let complaints = lines.iter().filter_map(|line| {
        COMPLAINTS.iter().find_map(|beginning| line.strip_prefix(beginning)).map(str::trim)
    });
    complaints
        .take_while(|line| !line.starts_with("Usage:") && *line != "Clean install a project")
        .filter(|line| !line.is_empty() && !line.starts_with("A complete log of this run"))
        .collect()
}

fn shown(line: &str) -> String {
    line.replace('\t', "    ").chars().filter(|c| !c.is_control()).take(LONGEST_LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compilers_own_words() {
        let output = "\n> ts@1.0.0 build\n> tsc\n\n\
                      src/index.ts(1,89): error TS2322: Type 'string' is not assignable.\n\
                      npm error Lifecycle script `build` failed with error:\nnpm error code 2\n";
        let told = "src/index.ts(1,89): error TS2322: Type 'string' is not assignable.";
        assert_eq!(first_errors(output), [told]);
    }

    #[test]
    fn a_lock_file_out_of_date() {
        let output = "npm error code EUSAGE\nnpm error\nnpm error `npm ci` can only install \
                      packages when your package.json and package-lock.json are in sync.\n\
                      npm error\nnpm error Missing: fabric-shim-api@2.5.7 from lock file\n\
                      npm error\nnpm error Clean install a project\nnpm error\nnpm error Usage:\n\
                      npm error npm ci\n";
        let told = first_errors(output);
        assert_eq!(told[0], "code EUSAGE");
        assert_eq!(told[2..], ["Missing: fabric-shim-api@2.5.7 from lock file"]);
    }

    #[test]
    fn what_cannot_be_fetched() {
        for line in [
            "npm error code E404",
            "npm ERR! code ENOTFOUND",
            "error Error: https://registry.example/a: Request failed \"401 E401\"",
            " ERR_PNPM_FETCH_404  GET https://registry.example/a: Not Found - 404",
        ] {
            let told = first_errors(line);
            assert!(told.len() == 2 && told[1].contains("npm_config_registry"), "{told:?}");
        }
        assert_eq!(first_errors("npm error code 1\n"), ["code 1"]);
    }

    #[test]
    fn otherwise_the_last_lines() {
        let lines: Vec<String> = (1..=20).map(|line| line.to_string()).collect();
        let output = lines.join("\n");
        assert_eq!(first_errors(&output).len(), MOST_LINES);
        assert_eq!(first_errors(&output)[MOST_LINES - 1], "20");
        assert!(first_errors("").is_empty());
    }
}
