//! Limits by a name alone: which directory that is, and who is kept out.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use apiqueue_fleet::file::Places;
use apiqueue_fleet::{BackendError, FileBackend};

/// A machine of which nothing is there yet but a directory that everybody may write.
fn places(root: &Path) -> Places {
    let temporary = root.join("tmp");
    fs::create_dir(&temporary).unwrap();
    fs::set_permissions(&temporary, Permissions::from_mode(0o1777)).unwrap();
    Places {
        told: None,
        runtime: None,
        run_user: root.join("run/user/of-nobody"),
        temporary,
        user: fs::metadata(root).unwrap().uid(),
    }
}

fn root() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(folder.path()).unwrap();
    (folder, path)
}

fn private(path: &Path) -> &Path {
    fs::create_dir_all(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
    path
}

fn directory(places: &Places) -> PathBuf {
    let files = FileBackend::for_names_at(places).unwrap();
    files.directory().to_owned()
}

fn refusal(places: &Places) -> String {
    match FileBackend::for_names_at(places) {
        Err(BackendError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_has_it_in_its_runtime_directory() {
    let (_folder, root) = root();
    let session = root.join("session");
    let places = Places {
        runtime: Some(private(&session).into()),
        ..places(&root)
    };
    assert_eq!(directory(&places), session.join("apiqueue"));
    assert_eq!(fs::read_dir(&places.temporary).unwrap().count(), 0);
}

/// A cron job has no `XDG_RUNTIME_DIR`, and means the same limit by a name as a terminal does.
#[test]
fn a_cron_job_has_the_one_that_a_session_has() {
    let (_folder, root) = root();
    let cron = places(&root);
    private(&cron.run_user);
    let terminal = Places {
        runtime: Some(cron.run_user.clone().into()),
        ..cron.clone()
    };
    assert_eq!(directory(&cron), directory(&terminal));
}

#[test]
fn without_sessions_it_is_a_private_one_in_tmp() {
    let (_folder, root) = root();
    let places = places(&root);
    let path = directory(&places);
    let name = format!("apiqueue-{}", places.user);
    assert_eq!(path, places.temporary.join(name));
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(directory(&places), path, "the second time");
}

/// `su` keeps the other user's variable; a relative path is none by the specification; one that is gone is none either.
#[test]
fn a_runtime_directory_that_is_none_is_passed_over() {
    let (_folder, root) = root();
    let nobodys = places(&root);
    let open = root.join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    let file = root.join("file");
    fs::write(&file, "").unwrap();
    for bad in [
        "relative".into(),
        root.join("gone"),
        open,
        file,
        PathBuf::new(),
    ] {
        let places = Places {
            runtime: Some(bad.clone().into()),
            ..nobodys.clone()
        };
        let found = directory(&places);
        assert!(found.starts_with(&places.temporary), "{bad:?}: {found:?}");
    }
    let another = Places {
        runtime: Some(private(&root.join("anothers")).into()),
        user: nobodys.user + 1,
        ..nobodys
    };
    // Not that user's either, as this process is not that user; but the session's was passed over.
    assert!(refusal(&another).contains("apiqueue-"));
}

#[test]
fn what_others_have_put_in_its_place_is_refused() {
    let (_folder, root) = root();
    let places = places(&root);
    let path = places.temporary.join(format!("apiqueue-{}", places.user));

    symlink(private(&root.join("elsewhere")), &path).unwrap();
    assert!(refusal(&places).contains("it is not a directory"));
    fs::remove_file(&path).unwrap();

    fs::write(&path, "").unwrap();
    assert!(refusal(&places).contains("it is not a directory"));
    fs::remove_file(&path).unwrap();

    fs::create_dir(&path).unwrap();
    for mode in [0o755, 0o770, 0o702, 0o1777] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let why = refusal(&places);
        assert!(why.contains(&format!("{mode:04o}, not 0700")), "{why}");
    }
    fs::remove_dir(&path).unwrap();

    let user = places.user + 1;
    let another = Places { user, ..places };
    fs::create_dir(another.temporary.join(format!("apiqueue-{user}"))).unwrap();
    let why = refusal(&another);
    let owners = format!("it is that of user {}, not of user {user}", user - 1);
    assert!(why.contains(&owners), "{why}");
}

#[test]
fn what_the_user_says_goes_before_all() {
    let (_folder, root) = root();
    let session = root.join("session");
    let told = root.join("a/b");
    let places = Places {
        told: Some(told.clone().into()),
        runtime: Some(private(&session).into()),
        ..places(&root)
    };
    assert_eq!(directory(&places), told);
    assert_eq!(fs::read_dir(&session).unwrap().count(), 0);

    let relative = Places {
        told: Some("b".into()),
        ..places
    };
    assert!(refusal(&relative).contains("APIQUEUE_DIR is \"b\", not an absolute path"));
}

#[test]
fn a_name_is_not_a_path() {
    let long = "n".repeat(201);
    for bad in [
        "", "/ec2", "a/b", "..\\x", "../x", "{a}", "a\0b", "a\nb", &long,
    ] {
        match FileBackend::named(bad) {
            Err(BackendError::Refused(why)) => {
                let named = why.contains(&format!("{bad:?}")) && why.contains("1..=200 bytes");
                assert!(named, "{why}");
            }
            other => panic!("{bad:?}: {other:?}"),
        }
    }
}

/// Neither `.` and `..` nor spaces and other scripts lead out of the directory.
#[test]
fn odd_names_are_files_in_the_directory() {
    let (_folder, root) = root();
    let files = FileBackend::for_names_at(&places(&root)).unwrap();
    let long = "ü".repeat(100);
    let names = [".", "..", "a b", "~", "-rf", "EC2", "ec2", "日本", &long];
    for name in names {
        let queue = apiqueue::ApiQueue::builder()
            .per_second(1000)
            .shared(files.limit(name).begin_at_once())
            .start()
            .unwrap();
        queue.wait_turn().unwrap();
    }
    let found = fs::read_dir(files.directory()).unwrap().count();
    assert_eq!(found, names.len());
    let mut sorted = names;
    sorted.sort_unstable();
    assert_eq!(files.limits().unwrap(), sorted);
    assert!(files.has_file("EC2") && !files.has_file("Ec2"));
}

#[test]
fn a_damaged_file_is_a_file_without_a_name() {
    let (_folder, root) = root();
    let files = FileBackend::for_names_at(&places(&root)).unwrap();
    assert!(files.limits().unwrap().is_empty());
    fs::write(files.directory().join("ec2.limit"), "damaged").unwrap();
    fs::write(files.directory().join("notes"), "").unwrap();
    assert!(files.has_file("ec2"));
    assert!(files.limits().unwrap().is_empty());
}
