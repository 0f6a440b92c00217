//! The site of this project's documentation.

use std::fs;

use testbed::dist::workspace_dir;

#[test]
fn every_page_is_in_the_site_and_every_link_leads_somewhere() {
    let place = tempfile::tempdir().unwrap();
    let site = xtask_docs::make(workspace_dir(), place.path()).unwrap();
    assert!(fs::read_to_string(&site.index).unwrap().contains("Selvedge"));
    let docs = fs::read_dir(workspace_dir().join("docs")).unwrap();
    let names = docs.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    for name in names.filter(|name| name != "SUMMARY.md") {
        if let Some(name) = name.strip_suffix(".md") {
            let page = place.path().join(format!("{name}.html"));
            assert!(page.exists(), "docs/SUMMARY.md does not have {name}.md");
        }
    }
}
