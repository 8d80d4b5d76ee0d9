//! Locks, atomics and tasks have one door, through which a model checker can come in.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What `src/sync.rs` gives its name to, and nothing else may call by another.
const BEHIND_THE_DOOR: [&str; 13] = [
    "parking_lot::",
    "std::sync::atomic::",
    "std::sync::Barrier",
    "std::sync::Condvar",
    "std::sync::LazyLock",
    "std::sync::Mutex",
    "std::sync::Once::",
    "std::sync::RwLock",
    "std::sync::mpsc",
    "std::thread::",
    "tokio::runtime::",
    "tokio::spawn",
    "tokio::task::",
];

#[test]
fn no_module_but_one_names_locks_atomics_and_tasks() {
    let mut files = Vec::new();
    find(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    let (mut doors, mut others) = (0, Vec::new());
    for file in files {
        let named = named(&fs::read_to_string(&file).unwrap());
        if file.ends_with("src/sync.rs") {
            doors += named.len();
        } else if !named.is_empty() {
            others.push((file, named));
        }
    }
    assert!(doors >= 4, "the test sees what is named: {doors}");
    assert!(others.is_empty(), "{others:#?}");
}

/// All source files but models, what stands in for the usual types in them, and the programs of the
/// documentation, which are an implementer's.
fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap();
        if name == "models" || name == "docs" || path.ends_with("sync/shuttled.rs") {
            continue;
        }
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
}

/// What of that a file names, outside of comments and tests.
fn named(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines().map(str::trim);
    let code: Vec<_> = lines.filter(|line| !line.starts_with("//")).collect();
    let statements = code.join(" ");
    let paths = statements
        .split(';')
        .flat_map(|statement| match statement.split_once("use ") {
            Some((_, tree)) => leaves("", tree),
            None => vec![statement.to_owned()],
        });
    let behind = |path: &String| BEHIND_THE_DOOR.iter().any(|name| path.contains(name));
    paths.filter(behind).collect()
}

/// `a::{b, c::{d}}` as `a::b::` and `a::c::d::`.
fn leaves(before: &str, tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        return vec![format!("{before}{tree}::")];
    };
    let inside = rest.rsplit_once('}').map_or(rest, |(inside, _)| inside);
    let (mut depth, before) = (0, format!("{before}{}", head.trim()));
    let branches = inside.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    let branches = branches.filter(|branch| !branch.trim().is_empty());
    branches
        .flat_map(|branch| leaves(&before, branch))
        .collect()
}

#[test]
fn the_test_reads_nested_imports() {
    let source = "use std::{fmt, sync::{Arc, atomic::{AtomicBool, Ordering}, Mutex}};\n\
                  // use parking_lot::Mutex;\nfn f() { parking_lot::Mutex::new(()); }";
    let named = named(source);
    assert_eq!(
        named[..3],
        [
            "std::sync::atomic::AtomicBool::",
            "std::sync::atomic::Ordering::",
            "std::sync::Mutex::"
        ]
    );
    assert_eq!(named.len(), 4, "{named:?}");
}
