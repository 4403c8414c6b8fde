//! Limits that are named in one word.

use std::path::Path;

use apiqueue_fleet::{BackendError, FileBackend};

use crate::child::{command, output};

/// What a process says of a name: as `--named`.
pub(crate) fn tell(said: &str) {
    match FileBackend::named(said) {
        Ok(named) => println!("{:?} in {:?}", named.name(), named.directory()),
        Err(why) => println!("{why}"),
    }
}

pub(crate) fn a_path_names_a_directory_and_a_limit_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().canonicalize().unwrap();
    let path = home.join("limits/of/ec2");
    let named = FileBackend::named(path.to_str().unwrap()).unwrap();
    assert_eq!(named.name(), "ec2");
    assert_eq!(named.directory(), home.join("limits/of"));
    assert_eq!(named.limit().name(), "ec2");
    assert_eq!(named.limit_of("eu-west-1/*").name(), "ec2/eu-west-1/*");
}

pub(crate) fn a_name_is_that_of_a_limit_in_the_users_directory() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().canonicalize().unwrap();
    let mut command = command("--named");
    command.arg("ec2");
    command.env("XDG_STATE_HOME", &home);
    let told = output(command.spawn().unwrap());
    let there: &Path = &home.join("apiqueue");
    assert_eq!(told.trim(), format!("\"ec2\" in {there:?}"));
    // The same limit by its path.
    let path = there.join("ec2");
    let named = FileBackend::named(path.to_str().unwrap()).unwrap();
    assert_eq!((named.name(), named.directory()), ("ec2", there));
}

pub(crate) fn what_names_no_limit_is_refused_with_what_was_said() {
    let long = "a".repeat(201);
    let all = [
        "",
        "/",
        "/..",
        "limits/ec2",
        "./ec2",
        "../ec2",
        "~/ec2",
        "a{b}",
        "a\nb",
        &long,
    ];
    for said in all {
        let why = FileBackend::named(said).unwrap_err();
        assert!(matches!(why, BackendError::Refused(_)), "{said:?}: {why}");
        assert!(
            why.to_string().contains(&format!("{said:?}")),
            "{said:?}: {why}"
        );
    }
}

pub(crate) fn a_directory_that_cannot_be_used_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let path = file.join("ec2");
    let why = FileBackend::named(path.to_str().unwrap()).unwrap_err();
    assert!(why.to_string().contains(&format!("{file:?}")), "{why}");
}
