//! Files that are deleted, moved, of others, or can't be written.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use apiqueue_fleet::file::{MachineClock, Reading};
use apiqueue_fleet::{Action, Backend, BackendError, FileBackend, Reply, Slots};
use futures_lite::future::block_on;

use crate::child::{command, output, quick, start};
use crate::rig::{GRACE, INTERVAL, LIMIT, Machine, Rig, ask, call};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

pub(crate) fn a_file_that_is_deleted_while_leases_are_out_is_waited_out() {
    let mut rig = Rig::ready();
    assert_eq!(rig.reserve(20).unwrap().granted(), 20);
    fs::remove_file(rig.path()).unwrap();
    assert_eq!(rig.reserve(1).unwrap().granted(), 0);
    rig.machine.pass(GRACE);
    assert_eq!(rig.reserve(1).unwrap().granted(), 1);
    // Another file in its place, and then none.
    fs::copy(rig.path(), rig.folder.path().join("old")).unwrap();
    rig.reserve(1).unwrap();
    fs::rename(rig.path(), rig.folder.path().join("moved")).unwrap();
    assert_eq!(rig.reserve(1).unwrap().granted(), 0);
    assert_eq!(rig.granted.twice(INTERVAL), 0);
    assert_eq!(rig.files.losses(), 0, "these were no damages");
}

/// The file is deleted, or replaced, by somebody who takes no notice of locks, when a call has it open already.
pub(crate) fn a_file_that_is_deleted_in_the_middle_of_a_call_is_not_granted_from() {
    for is_replaced in [false, true] {
        let mut rig = Rig::ready();
        assert_eq!(rig.reserve(5).unwrap().granted(), 5);
        let path = rig.path();
        let old = fs::read(&path).unwrap();
        let files = FileBackend::open_with_clock(
            rig.folder.path(),
            Arc::new(Deletes {
                machine: rig.machine.clone(),
                is_over: AtomicBool::new(false),
                delete: move || {
                    fs::remove_file(&path).unwrap();
                    if is_replaced {
                        fs::write(&path, &old[..100]).unwrap();
                    }
                },
            }),
        );
        rig.files = files.unwrap();
        assert_eq!(
            rig.reserve(5).unwrap().granted(),
            0,
            "the grace of a new file"
        );
        assert_eq!(rig.files.losses(), u64::from(is_replaced));
    }
}

struct Deletes<F> {
    machine: Machine,
    is_over: AtomicBool,
    delete: F,
}

impl<F: Fn() + Send + Sync + 'static> MachineClock for Deletes<F> {
    fn read(&self) -> Reading {
        if !self.is_over.swap(true, Ordering::Relaxed) {
            (self.delete)();
        }
        self.machine.read()
    }
}

pub(crate) fn a_directory_that_is_deleted_is_made_again() {
    let mut rig = Rig::ready();
    assert_eq!(rig.reserve(5).unwrap().granted(), 5);
    fs::remove_dir_all(rig.folder.path()).unwrap();
    assert_eq!(rig.reserve(1).unwrap().granted(), 0);
    assert_eq!(mode(rig.folder.path()), 0o700);
    rig.machine.pass(GRACE);
    assert_eq!(rig.reserve(1).unwrap().granted(), 1);
    assert_eq!(rig.granted.twice(INTERVAL), 0);
}

/// The disk that is full, as far as it can be had without one: writes that end after so many bytes.
pub(crate) fn nothing_is_granted_by_what_could_not_be_written() {
    for bytes in [0, 1, 30, 160, 4_096, (1 << 20) + 40] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let answer = output(start("--once-small", &[path, &bytes.to_string()]));
        assert!(
            answer.starts_with("Err(Away(") && answer.contains("ec2.limit"),
            "{bytes}: {answer}"
        );
        // A file that was whole before.
        let files = FileBackend::open(path).unwrap();
        let end = Instant::now() + Duration::from_secs(60);
        while block_on(files.call(LIMIT, quick(1))).unwrap().granted() == 0 {
            assert!(
                Instant::now() < end,
                "{bytes}: the room is there again, but no slot comes"
            );
        }
        let before = block_on(files.call(LIMIT, quick(2))).unwrap();
        let answers = [0; 2].map(|_| output(start("--once-small", &[path, &bytes.to_string()])));
        // One of two calls writes the second place.
        assert!(
            answers.iter().any(|answer| answer.starts_with("Err(Away(")),
            "{answers:?}"
        );
        let after = block_on(files.call(LIMIT, quick(2))).unwrap();
        assert!(
            after.granted() == 0 || after.slots[0].first > last(&before),
            "{before:?} {after:?}"
        );
    }
}

/// The last slot that was granted.
fn last(reply: &Reply) -> u64 {
    let of = |run: &Slots| run.first + u64::from(run.count - 1) * run.step;
    reply.slots.last().map_or(0, of)
}

pub(crate) fn a_directory_that_cannot_be_written_is_told_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    let path = folder.path().to_str().unwrap();
    let answer = output(start("--once-as-nobody", &[path]));
    assert!(
        answer.starts_with("Err(Refused(")
            && answer.contains("ec2.limit")
            && answer.contains("ermission denied"),
        "{answer}"
    );
    let answer = output(start("--once-as-nobody", &[&format!("{path}/new/one")]));
    assert!(
        answer.starts_with("Err(Refused(")
            && answer.contains("new/one")
            && answer.contains("ermission denied"),
        "{answer}"
    );
}

pub(crate) fn what_is_no_directory_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = FileBackend::open(&file).unwrap_err().to_string();
    assert!(error.contains(file.to_str().unwrap()), "{error}");
    assert!(matches!(
        FileBackend::open("").unwrap_err(),
        BackendError::Refused(_)
    ));
}

pub(crate) fn a_directory_that_everybody_may_write_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for bits in [0o777, 0o1777, 0o702] {
        fs::set_permissions(folder.path(), Permissions::from_mode(bits)).unwrap();
        let error = FileBackend::open(folder.path()).unwrap_err();
        assert!(
            matches!(&error, BackendError::Refused(why) if why.contains(&format!("{bits:04o}"))),
            "{error}"
        );
    }
    let own = folder.path().join("own");
    let files = FileBackend::open(&own).unwrap();
    assert_eq!(mode(&own), 0o700, "one that is made is private");
    block_on(files.call(LIMIT, quick(1))).unwrap();
    assert_eq!(mode(&own.join("ec2.limit")), 0o600);
}

pub(crate) fn files_in_a_directory_of_a_group_are_the_groups() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o2770)).unwrap();
    let files = FileBackend::open(folder.path()).unwrap();
    block_on(files.call(LIMIT, quick(1))).unwrap();
    assert_eq!(
        mode(&folder.path().join("ec2.limit")),
        0o660,
        "whatever the mask is"
    );
}

pub(crate) fn links_and_devices_in_the_place_of_a_file_are_left_alone() {
    let rig = Rig::new();
    let victim = rig.folder.path().join("victim");
    fs::write(&victim, "mine").unwrap();
    symlink(&victim, rig.path()).unwrap();
    rig.call(ask(1, 1)).unwrap_err();
    assert_eq!(fs::read(&victim).unwrap(), b"mine");
    fs::remove_file(rig.path()).unwrap();
    fs::remove_file(&victim).unwrap();
    symlink(&victim, rig.path()).unwrap();
    rig.call(ask(1, 1)).unwrap_err();
    assert!(!victim.exists(), "nothing is made where a link leads to");
    fs::remove_file(rig.path()).unwrap();
    symlink("/dev/full", rig.path()).unwrap();
    rig.call(ask(1, 1)).unwrap_err();
    fs::remove_file(rig.path()).unwrap();
    fs::create_dir(rig.path()).unwrap();
    rig.call(ask(1, 1)).unwrap_err();
    fs::remove_dir(rig.path()).unwrap();
    let pipe = std::ffi::CString::new(rig.path().to_str().unwrap()).unwrap();
    // SAFETY: the string lives through the call.
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
    let error = rig.call(ask(1, 1)).unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
}

/// Names that differ in anything have different files, all of them in the directory.
pub(crate) fn no_two_limits_share_a_file_and_none_leaves_the_directory() {
    let rig = Rig::new();
    let long = |end: &str| format!("{}{end}", "é".repeat(99));
    let names = [
        "ec2",
        "EC2",
        "Ec2",
        "a/b",
        "a%2Fb",
        "a%2fb",
        "../ec2",
        "..",
        ".",
        "ec2.limit",
        "~",
        "a b",
        " ",
        "ä",
        "a\u{308}",
        "CON",
        "a\\b",
        "é",
    ];
    let mut names: Vec<String> = names.map(str::to_owned).to_vec();
    names.extend([
        long(""),
        long("a"),
        long("b"),
        "/".repeat(200),
        "%".repeat(200),
    ]);
    for (n, name) in (1..).zip(&names) {
        block_on(rig.files.call(name, call(1, Action::Retune(n)))).unwrap();
    }
    for (n, name) in (1..).zip(&names) {
        let reply = block_on(rig.files.call(name, ask(1, 1))).unwrap();
        assert_eq!(reply.terms.interval, n, "{name}");
    }
    let files: Vec<String> = fs::read_dir(rig.folder.path())
        .unwrap()
        .map(|file| {
            file.unwrap()
                .file_name()
                .into_string()
                .unwrap()
                .to_lowercase()
        })
        .collect();
    assert_eq!(files.len(), names.len());
    let mut different = files.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(
        different.len(),
        names.len(),
        "also where case does not count: {files:?}"
    );
}

pub(crate) fn a_file_that_was_copied_to_another_limits_place_is_refused() {
    let mut rig = Rig::ready();
    rig.reserve(1).unwrap();
    fs::copy(rig.path(), rig.folder.path().join("s3.limit")).unwrap();
    let error = block_on(rig.files.call("s3", ask(1, 1))).unwrap_err();
    assert!(
        matches!(&error, BackendError::Refused(why) if why.contains("\"ec2\"")),
        "{error}"
    );
    rig.reserve(1).unwrap();
}

/// A directory is what it was when it was opened, wherever this process goes.
pub(crate) fn a_link_to_a_directory_is_followed_once() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other, link) = (
        folder.path().join("1"),
        folder.path().join("2"),
        folder.path().join("link"),
    );
    fs::create_dir(&one).unwrap();
    fs::create_dir(&other).unwrap();
    symlink(&one, &link).unwrap();
    let files = FileBackend::open(&link).unwrap();
    fs::remove_file(&link).unwrap();
    symlink(&other, &link).unwrap();
    block_on(files.call(LIMIT, quick(1))).unwrap();
    assert!(one.join("ec2.limit").exists());
    assert_eq!(files.directory(), fs::canonicalize(&one).unwrap());
}

pub(crate) fn the_users_directory_is_where_state_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().canonicalize().unwrap();
    let directory = |state: Option<&str>, home: Option<&Path>| {
        let mut command = command("--for-user");
        command.env_remove("XDG_STATE_HOME").env_remove("HOME");
        command.envs(state.map(|state| ("XDG_STATE_HOME", state)));
        command.envs(home.map(|home| ("HOME", home)));
        output(command.spawn().unwrap())
    };
    let state = home.join("state");
    let own = directory(state.to_str(), Some(&home));
    assert!(
        own.contains(&format!("{:?}", state.join("apiqueue"))),
        "{own}"
    );
    assert_eq!(mode(&state.join("apiqueue")), 0o700);
    // As the standard has it, a path that is not absolute is none.
    for state in [None, Some(""), Some("state")] {
        let own = directory(state, Some(&home));
        assert!(
            own.contains(&format!("{:?}", home.join(".local/state/apiqueue"))),
            "{own}"
        );
    }
    let none = directory(None, None);
    assert!(
        none.contains("Refused") && none.contains("XDG_STATE_HOME"),
        "{none}"
    );
}
