//! [`Template`]: a command with places for a line of input.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Where the line goes.
const LINE: &[u8] = b"{}";
/// Where the line's number goes.
const NUMBER: &[u8] = b"{#}";

/// A program and its arguments, with `{}` and `{#}` in them.
pub(super) struct Template {
    words: Vec<OsString>,
}

impl Template {
    /// Where `{}` is nowhere, the line is one more argument.
    pub(super) fn new(mut words: Vec<OsString>) -> Self {
        let has_place = |word: &OsString| find(word.as_bytes(), LINE).is_some();
        if !words.iter().any(has_place) {
            words.push(OsStr::from_bytes(LINE).to_owned());
        }
        Self { words }
    }

    /// The command of a line. No shell reads it: the line is part of an argument, whatever is in it.
    pub(super) fn fill(&self, line: &[u8], number: u64) -> Vec<OsString> {
        let number = number.to_string();
        let words = self.words.iter();
        words
            .map(|word| OsString::from_vec(filled(word.as_bytes(), line, number.as_bytes())))
            .collect()
    }

    /// Whether all lines have the same program.
    pub(super) fn has_one_program(&self) -> bool {
        let program = self.words.first().map(|word| word.as_bytes());
        program.is_some_and(|word| find(word, LINE).or(find(word, NUMBER)).is_none())
    }
}

/// What is put in is not looked at again.
fn filled(mut word: &[u8], line: &[u8], number: &[u8]) -> Vec<u8> {
    let mut filled = Vec::with_capacity(word.len() + line.len());
    while let Some(at) = word.iter().position(|byte| *byte == b'{') {
        let (before, rest) = word.split_at(at);
        filled.extend_from_slice(before);
        let (text, length) = if rest.starts_with(LINE) {
            (line, LINE.len())
        } else if rest.starts_with(NUMBER) {
            (number, NUMBER.len())
        } else {
            (&rest[..1], 1)
        };
        filled.extend_from_slice(text);
        word = &rest[length..];
    }
    filled.extend_from_slice(word);
    filled
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|part| part == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(words: &[&str], line: &str) -> Vec<OsString> {
        Template::new(words.iter().map(OsString::from).collect()).fill(line.as_bytes(), 7)
    }

    #[test]
    fn a_line_goes_to_each_place() {
        assert_eq!(
            filled(&["cp", "{}", "{}.bak"], "a b"),
            ["cp", "a b", "a b.bak"]
        );
        assert_eq!(filled(&["{}", "{#}"], "x"), ["x", "7"]);
    }

    #[test]
    fn without_a_place_it_is_the_last_argument() {
        assert_eq!(filled(&["echo", "-n"], "x"), ["echo", "-n", "x"]);
        assert_eq!(filled(&["echo", "{#}"], "x"), ["echo", "7", "x"]);
    }

    #[test]
    fn what_is_put_in_is_not_looked_at_again() {
        assert_eq!(filled(&["echo", "{}{#}{"], "{#}{}"), ["echo", "{#}{}7{"]);
        assert_eq!(filled(&["echo", "{{}}"], "x"), ["echo", "{x}"]);
    }
}
