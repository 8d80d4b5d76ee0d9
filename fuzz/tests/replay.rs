//! The corpus of each target, and what fuzzing has found before, as tests.

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use sse_fuzz::TARGETS;

macro_rules! replay {
    ($($target:ident)*) => {
        const REPLAYED: &[&str] = &[$(stringify!($target)),*];
        $(
            #[test]
            fn $target() {
                replay(stringify!($target));
            }
        )*
    };
}

replay! { demo_send demo_urls event event_stream names stream_request }

/// Runs a target over the files of its folders, and names those that it fails for.
fn replay(name: &str) {
    let (_, target) = TARGETS.iter().find(|(target, _)| *target == name).unwrap();
    let corpus = files("corpus", name);
    assert!(!corpus.is_empty(), "the corpus of {name} is empty");
    let mut failed = corpus;
    failed.extend(files("regressions", name));
    failed.retain(|path| {
        let input = fs::read(path).unwrap();
        catch_unwind(AssertUnwindSafe(|| target(&input))).is_err()
    });
    assert!(failed.is_empty(), "{name} fails for {failed:#?}");
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The files of a target in one of the folders, which need not be there.
fn files(kind: &str, target: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(kind).join(target))
        .into_iter()
        .flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The names in a folder, without their endings; none if it isn't there.
fn names_in(name: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder(name)).into_iter().flatten();
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    entries.map(|entry| stem(entry.unwrap().path())).collect()
}

#[test]
fn every_target_is_replayed_and_has_a_program_and_a_corpus() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let replayed = REPLAYED.iter().map(|name| (*name).to_owned());
    assert_eq!(replayed.collect::<BTreeSet<_>>(), targets);
    assert_eq!(names_in("fuzz_targets"), targets);
    assert_eq!(names_in("corpus"), targets);
    assert!(names_in("regressions").is_subset(&targets));
}
