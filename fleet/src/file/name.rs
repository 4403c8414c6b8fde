//! What the file of a limit is called.

/// Longer names end in a hash.
const MAX_PLAIN: usize = 200;
/// How much of a long one is kept.
const KEPT: usize = 160;

/// The file's name: a-z, 0-9, `-` and `_` as they are, all other bytes as `%XX`, so that no name leaves the directory, and names that
/// differ only in case differ on a file system that ignores it. Two long names may get the same file, but for this the file has
/// the limit's name in it.
pub(super) fn file_name(limit: &str) -> String {
    let mut name = String::with_capacity(limit.len() + 8);
    for byte in limit.bytes() {
        if matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') {
            name.push(char::from(byte));
        } else {
            let digit = |half: u8| char::from(b"0123456789ABCDEF"[usize::from(half)]);
            name.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    if name.len() > MAX_PLAIN {
        name.truncate(KEPT);
        name.push_str(&format!("~{:016x}", fnv(limit.as_bytes())));
    }
    name.push_str(".limit");
    name
}

/// FNV-1a.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
