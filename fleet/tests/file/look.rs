//! A look at a limit: it shows what is there, and leaves everything as it is.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use apiqueue_fleet::{Action, Backend, BackendError, LimitState};
use futures_lite::future::{block_on, poll_once};

use crate::rig::{GRACE, INTERVAL, LIMIT, Rig, SECOND};
use crate::steps::PLACE;

fn look(rig: &Rig) -> Option<LimitState> {
    block_on(rig.files.look(LIMIT)).unwrap()
}

/// Everything that can be seen of the file, but when it was read.
fn traces(rig: &Rig) -> (Vec<u8>, [i64; 6]) {
    let it = fs::metadata(rig.path()).unwrap();
    let of = [
        it.ino() as i64,
        i64::from(it.mode()),
        it.mtime(),
        it.mtime_nsec(),
        it.ctime(),
        it.ctime_nsec(),
    ];
    (rig.bytes(), of)
}

pub(crate) fn a_look_makes_no_file_and_no_directory() {
    let rig = Rig::new();
    assert_eq!(look(&rig), None);
    assert_eq!(fs::read_dir(rig.folder.path()).unwrap().count(), 0);
    fs::remove_dir(rig.folder.path()).unwrap();
    assert_eq!(look(&rig), None);
    assert!(!rig.folder.path().exists());
}

pub(crate) fn a_look_shows_the_limit_and_changes_nothing() {
    let mut rig = Rig::new();
    rig.reserve(1).unwrap();
    assert_eq!(look(&rig).unwrap().learning, GRACE);
    rig.machine.pass(GRACE);
    rig.order(Action::Retune(2 * INTERVAL));
    let reply = rig.reserve(5).unwrap();
    let (terms, next) = (reply.terms, reply.slots[0].first + 10 * INTERVAL);
    let before = traces(&rig);
    rig.restart();
    for passed in [0, INTERVAL, 3 * INTERVAL] {
        rig.machine.pass(passed);
        assert_eq!(look(&rig).unwrap().terms, terms);
    }
    let state = look(&rig).unwrap();
    assert_eq!(state.next, next - reply.now - 4 * INTERVAL);
    assert_eq!(state.learning, 0);
    assert_eq!(state.hosts[0].counts_for, 10 * SECOND - 4 * INTERVAL);
    // The clock goes on over a reboot here, too.
    rig.machine.reboot(0);
    assert_eq!(look(&rig).unwrap().next, 0);
    assert!(traces(&rig) == before, "the file has changed");
}

/// Of what is left the next call makes something.
pub(crate) fn a_look_at_a_damaged_file_shows_what_is_left_and_mends_nothing() {
    let mut rig = Rig::ready();
    rig.order(Action::Retune(3 * INTERVAL));
    rig.reserve(1).unwrap();
    rig.reserve(1).unwrap();
    let whole = rig.bytes();
    for place in [0, PLACE] {
        let mut bytes = whole.clone();
        bytes[place + 40] ^= 1;
        fs::write(rig.path(), bytes).unwrap();
        let before = traces(&rig);
        assert_eq!(look(&rig).unwrap().terms.interval, 3 * INTERVAL);
        assert!(traces(&rig) == before, "the file has changed");
    }
    for bytes in [&whole[..0], &whole[..30], &[7; 5_000]] {
        fs::write(rig.path(), bytes).unwrap();
        fs::set_permissions(rig.path(), Permissions::from_mode(0o640)).unwrap();
        let before = traces(&rig);
        assert_eq!(look(&rig), None);
        assert!(traces(&rig) == before, "the file has changed");
    }
    assert_eq!(rig.files.losses(), 0, "this is for calls to find");
}

pub(crate) fn a_look_at_what_is_no_file_of_this_limit_is_refused() {
    let mut rig = Rig::ready();
    rig.reserve(1).unwrap();
    fs::copy(rig.path(), rig.folder.path().join("s3.limit")).unwrap();
    let error = block_on(rig.files.look("s3")).unwrap_err();
    assert!(
        matches!(&error, BackendError::Refused(why) if why.contains("\"ec2\"")),
        "{error}"
    );
    symlink(rig.path(), rig.folder.path().join("s4.limit")).unwrap();
    block_on(rig.files.look("s4")).unwrap_err();
    fs::create_dir(rig.folder.path().join("s5.limit")).unwrap();
    let error = block_on(rig.files.look("s5")).unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
}

/// Not between two halves of a call.
pub(crate) fn a_look_waits_until_the_file_is_free() {
    let mut rig = Rig::ready();
    rig.reserve(1).unwrap();
    let lock = fs::File::open(rig.path()).unwrap();
    let mut answered = 0;
    for _ in 0..20 {
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let mut look = rig.files.look(LIMIT);
        assert!(block_on(poll_once(&mut look)).is_none());
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::Unlock).unwrap();
        // Not all, on a machine that is so busy that this was not let go on for long.
        answered += u32::from(block_on(look).is_ok_and(|state| state.is_some()));
    }
    assert!(answered > 0);
}
