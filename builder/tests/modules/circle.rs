//! Which file imports which, and where that leads back to its beginning.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::reader::{Crate, Module, ModulePath};

/// Re-exports of re-exports are followed so far.
const DEPTH: usize = 8;

/// For each file the files that it imports, and by what path.
type Imports<'a> = BTreeMap<&'a Path, BTreeMap<&'a Path, String>>;

/// Files each of which imports the next, and the last the first.
pub(crate) struct Circle {
    pub(crate) files: Vec<PathBuf>,
    /// By what each of them imports the next.
    by: Vec<String>,
}

impl Circle {
    /// The way round.
    pub(crate) fn told(&self, root: &Path) -> String {
        let name = |file: &PathBuf| file.strip_prefix(root).unwrap().display().to_string();
        let mut told = format!("{}\n", name(&self.files[0]));
        let next = self.files.iter().cycle().skip(1);
        for (file, by) in next.zip(&self.by) {
            writeln!(told, "  -> {}, by {by}", name(file)).unwrap();
        }
        told
    }
}

/// The shortest circle of each file that is in one, but for those that have a file in common.
pub(crate) fn circles(read: &Crate) -> Vec<Circle> {
    let imports = imports(read);
    let mut told = BTreeSet::new();
    let mut circles = Vec::new();
    for file in imports.keys() {
        let Some(circle) = back_to(file, &imports) else { continue };
        if circle.files.iter().all(|file| told.insert(file.clone())) {
            circles.push(circle);
        }
    }
    circles
}

/// The shortest way from a file back to it.
fn back_to(file: &Path, imports: &Imports<'_>) -> Option<Circle> {
    let mut ways = VecDeque::from([vec![file]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in imports.get(way[way.len() - 1]).into_iter().flat_map(BTreeMap::keys) {
            if *next == file {
                let rest = way.iter().skip(1).chain([next]);
                let by = way.iter().zip(rest).map(|(from, to)| imports[from][to].clone());
                let by = by.collect();
                return Some(Circle { files: way.iter().map(PathBuf::from).collect(), by });
            }
            if seen.insert(*next) {
                ways.push_back([&way[..], &[next]].concat());
            }
        }
    }
    None
}

fn imports(read: &Crate) -> Imports<'_> {
    let mut imports = Imports::new();
    for (at, module) in &read.modules {
        for path in named(module) {
            let Some(definition) = definition(read, at, path, DEPTH) else { continue };
            let file = read.modules[&definition].file.as_path();
            if file != module.file {
                let of_module = imports.entry(&module.file).or_default();
                of_module.entry(file).or_insert_with(|| path.join("::"));
            }
        }
    }
    imports
}

/// All paths that a module names: what it passes on it does not name unless its code does.
fn named(module: &Module) -> impl Iterator<Item = &[String]> {
    let uses =
        module.uses.iter().filter(|used| !used.is_public || module.names.contains(&used.name));
    uses.map(|used| &used.path[..]).chain(module.paths.iter().map(|path| &path[..]))
}

/// The module that defines what the path names, if it is one of this crate.
fn definition(read: &Crate, at: &ModulePath, path: &[String], depth: usize) -> Option<ModulePath> {
    let mut module = at.clone();
    let mut rest = path;
    match rest.first()?.as_str() {
        "crate" => {
            module.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {}
        first => {
            module.push(first.to_owned());
            if !read.modules.contains_key(&module) {
                return None;
            }
            rest = &rest[1..];
        }
    }
    while let Some(name) = rest.first() {
        if name == "super" {
            module.pop()?;
        } else {
            module.push(name.clone());
            if !read.modules.contains_key(&module) {
                module.pop();
                break;
            }
        }
        rest = &rest[1..];
    }
    let Some(item) = rest.first() else { return Some(module) };
    let passed_on =
        read.modules[&module].uses.iter().find(|used| used.name == *item && item != "*");
    if let Some(used) = passed_on.filter(|_| depth > 0) {
        let mut path = used.path.clone();
        path.extend_from_slice(&rest[1..]);
        // What comes from another crate is nobody's here.
        return definition(read, &module, &path, depth - 1);
    }
    Some(module)
}
