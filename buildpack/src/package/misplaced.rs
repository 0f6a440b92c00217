//! Index definitions in places where no peer looks for any, and nobody says so.

use crate::archive::EntryPath;

/// What there is to know about such a file.
pub(super) const MISPLACED: &str = "becomes no index: a peer gets those in META-INF beside the \
                                    main package, and no others";

/// Whether somebody meant the file, which goes in as source, for an index: what lies below the
/// main package's `META-INF` goes to the top of the code instead.
pub(super) fn is_misplaced_index(path: &EntryPath) -> bool {
    let Some((directory, name)) = path.as_str().rsplit_once('/') else { return false };
    let lower = directory.to_lowercase();
    let parts: Vec<&str> = lower.split('/').collect();
    // A dependency's are its own matter.
    parts[0] == "src"
        && !parts.contains(&"vendor")
        && name.to_lowercase().ends_with(".json")
        && (parts.contains(&"meta-inf")
            || parts.windows(2).any(|two| two == ["statedb", "couchdb"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        for (path, misplaced) in [
            ("META-INF/statedb/couchdb/indexes/owner.json", false),
            ("src/META-INF/statedb/couchdb/indexes/owner.json", true),
            ("src/cmd/meta-inf/owner.JSON", true),
            ("src/metadata/statedb/couchdb/indexes/owner.json", true),
            ("src/vendor/example.com/x/META-INF/owner.json", false),
            ("src/statedb/owner.json", false),
            ("src/META-INF/statedb/couchdb/indexes/read.me", false),
            ("src/owner.json", false),
        ] {
            let path = EntryPath::parse(path.as_bytes()).unwrap();
            assert_eq!(is_misplaced_index(&path), misplaced, "{path}");
        }
    }
}
