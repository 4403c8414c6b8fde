//! Writes the copy of the repository in which the mutated core is built.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;

use proc_macro2::Literal;

use crate::mutate::{Mutant, Mutants, Mutator};
use crate::rules;

/// The module that says which mutant is chosen.
const CHOICE: &str = r#"//! Which mutant is chosen, by the environment variable `MUTANT`. 0 is none.
extern crate std;
static CHOSEN: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
fn chosen() -> usize {
    std::env::var("MUTANT").ok().and_then(|number| number.parse().ok()).unwrap_or(0)
}
#[inline]
pub(crate) fn is(number: usize) -> bool {
    *CHOSEN.get_or_init(chosen) == number
}
"#;

/// The packages that are built there.
const PACKAGES: [&str; 4] = ["core", "tests", "tests/stepped", "tests/explorer"];

const MANIFEST: &str = r#"[workspace]
resolver = "3"
members = ["core", "tests", "tests/stepped", "tests/explorer"]

[workspace.package]
version = "0.1.0"
edition = "2024"
rust-version = "1.88"
license = "MIT"
authors = ["The apiqueue authors"]
repository = "https://github.com/apiqueue/apiqueue"
categories = ["concurrency"]
keywords = ["rate-limit"]

[workspace.dependencies]
apiqueue-core = { path = "core", version = "0.1.0" }

[workspace.lints.rust]
missing_docs = "allow"

[profile.release]
incremental = false
"#;

/// Copies what is needed of `repository` to `tree`, with the mutants in it. All of them.
pub fn write(repository: &Path, tree: &Path, handwritten: &str) -> io::Result<Vec<Mutant>> {
    if tree.exists() {
        fs::remove_dir_all(tree)?;
    }
    for package in PACKAGES {
        copy(&repository.join(package), &tree.join(package))?;
    }
    copy(
        &repository.join("std-runtime/src"),
        &tree.join("std-runtime/src"),
    )?;
    fs::copy(repository.join("Cargo.lock"), tree.join("Cargo.lock"))?;
    fs::write(tree.join("Cargo.toml"), MANIFEST)?;
    let source = tree.join("core/src");
    let mut mutants = Mutants::default();
    for file in rules::FILES {
        mutate(&source, file, handwritten, &mut mutants)?;
    }
    fs::write(source.join("mutant.rs"), CHOICE)?;
    let root = source.join("lib.rs");
    let text =
        fs::read_to_string(&root)?.replacen("mod adaptive;", "mod adaptive;\nmod mutant;", 1);
    fs::write(root, text)?;
    Ok(mutants.all)
}

fn mutate(source: &Path, file: &str, handwritten: &str, mutants: &mut Mutants) -> io::Result<()> {
    let path = source.join(file).with_extension("rs");
    let mut text = fs::read_to_string(&path)?;
    for made in HandMade::all(handwritten).filter(|made| made.file == file) {
        text = made.put_into(&text, mutants)?;
    }
    let mut parsed = syn::parse_file(&text).map_err(io::Error::other)?;
    let mut mutator = Mutator {
        file,
        mutants,
        function: String::new(),
    };
    syn::visit_mut::VisitMut::visit_file_mut(&mut mutator, &mut parsed);
    fs::write(path, prettyplease::unparse(&parsed))
}

/// A mutant written by hand.
struct HandMade<'a> {
    file: &'a str,
    what: &'a str,
    find: &'a str,
    with: &'a str,
}

impl<'a> HandMade<'a> {
    fn all(text: &'a str) -> impl Iterator<Item = Self> {
        text.split("\n\n").filter_map(|block| {
            let line = |name: &str| {
                block
                    .lines()
                    .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            };
            Some(Self {
                file: line("file")?,
                what: line("what")?,
                find: line("find")?,
                with: line("with")?,
            })
        })
    }

    fn put_into(&self, text: &str, mutants: &mut Mutants) -> io::Result<String> {
        let places: Vec<_> = text.match_indices(self.find).collect();
        let [(place, _)] = places.as_slice() else {
            let (what, times) = (self.what, places.len());
            return Err(io::Error::other(format!("{what}: found {times} times")));
        };
        let line = text.get(..*place).unwrap_or_default().lines().count();
        mutants.add(self.file, line, format!("by hand: {}", self.what), false);
        let number = Literal::usize_unsuffixed(mutants.all.len());
        let choice = format!("crate::mutant::is({number})");
        Ok(text.replacen(self.find, &self.with.replace("MUTANT", &choice), 1))
    }
}

/// A number that is another one for any other tree, by which an earlier report is known to be of this one.
pub fn mark(tree: &Path) -> io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    for package in PACKAGES {
        mark_all(&tree.join(package), &mut hasher)?;
    }
    Ok(hasher.finish())
}

fn mark_all(directory: &Path, hasher: &mut DefaultHasher) -> io::Result<()> {
    let mut paths = fs::read_dir(directory)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        path.hash(hasher);
        if path.is_dir() {
            mark_all(&path, hasher)?;
        } else {
            fs::read(&path)?.hash(hasher);
        }
    }
    Ok(())
}

/// A directory with all in it, except what was built.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        // This program is a package of its own.
        let is_other = name == "mutants" && path.join("Cargo.toml").exists();
        if name == "target" || is_other {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
