//! What a failed `go build` has to say to the person who installed the chaincode.

/// The most lines worth showing: the first error is the cause of most that follow.
const MOST_LINES: usize = 5;

/// The longest line, in characters; the peer's log is for people.
const LONGEST_LINE: usize = 500;

/// The first lines of the output of `go build` that tell what is wrong; at most five.
///
/// Progress (`go: downloading …`) and headings (`# package`) are left out. If no line looks like
/// an error, the last lines are returned.
pub fn first_errors(output: &str) -> Vec<String> {
    let lines: Vec<&str> = output
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty() && !is_progress(line))
        .collect();
    let first = lines.iter().position(|line| is_error(line));
    let start = first.unwrap_or_else(|| lines.len().saturating_sub(MOST_LINES));
    lines[start..]
        .iter()
        .filter(|line| !line.starts_with("# "))
        .take(MOST_LINES)
        .map(|line| shown(line))
        .collect()
}

fn is_progress(line: &str) -> bool {
    ["go: downloading ", "go: finding ", "go: extracting ", "go: added ", "go: upgraded "]
        .iter()
        .any(|start| line.starts_with(start))
}

/// `file.go:line:column: …`, or a complaint of the go command itself.
fn is_error(line: &str) -> bool {
    let positioned = line
        .split_once(".go:")
        .is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
    let complaint = ["go: ", "go.mod:", "package ", "no required module", "build ", "link: "]
        .iter()
        .any(|start| line.starts_with(start));
    positioned || complaint
}

fn shown(line: &str) -> String {
    line.replace('\t', "    ").chars().filter(|c| !c.is_control()).take(LONGEST_LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compilers_first_error() {
        let output = "go: downloading example.com/x v1.0.0\n# example.com/asset\n\
                      ./main.go:7:2: undefined: fmt\n./main.go:9:1: missing return\n";
        assert_eq!(
            first_errors(output),
            ["./main.go:7:2: undefined: fmt", "./main.go:9:1: missing return"]
        );
    }

    #[test]
    fn the_go_commands_own_complaint() {
        let output = "go: downloading a v1\nmain.go:4:2: no required module provides package a; \
                      to add it:\n\tgo get a\n";
        assert_eq!(first_errors(output)[1], "    go get a");
        let too_old = "go: go.mod requires go >= 1.99 (running go 1.26.8; GOTOOLCHAIN=local)\n";
        assert_eq!(first_errors(too_old), [too_old.trim_end()]);
    }

    #[test]
    fn otherwise_the_last_lines() {
        assert_eq!(first_errors("one\n\ntwo\n"), ["one", "two"]);
        assert_eq!(first_errors(""), Vec::<String>::new());
        assert_eq!(first_errors(&"x".repeat(9000))[0].len(), LONGEST_LINE);
    }
}
