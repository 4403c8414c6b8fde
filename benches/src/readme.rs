//! Puts measured tables into a page, between `<!-- NAME -->` and `<!-- /NAME -->`.

use std::path::Path;
use std::{fs, io};

/// The page of these benchmarks.
pub const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// Replaces what stands between the marks of each name.
///
/// # Errors
/// A page that can't be read or written, and a name whose marks it does not have. The page is then left as it was.
pub fn replace(page: &Path, blocks: &[(String, String)]) -> io::Result<()> {
    let mut text = fs::read_to_string(page)?;
    for (name, block) in blocks {
        text = replaced(&text, name, block).ok_or_else(|| {
            let why = format!("{} has no marks of {name}", page.display());
            io::Error::new(io::ErrorKind::InvalidData, why)
        })?;
    }
    fs::write(page, text)
}

/// None where there are no such marks.
fn replaced(text: &str, name: &str, block: &str) -> Option<String> {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let (before, rest) = text.split_once(&open)?;
    let (_, after) = rest.split_once(&close)?;
    let block = block.trim_end();
    Some(format!("{before}{open}\n\n{block}\n\n{close}{after}"))
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let page = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n";
        let once = replaced(page, "x", "new\n").unwrap();
        assert_eq!(once, "a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb\n");
        assert_eq!(replaced(&once, "x", "new").unwrap(), once);
    }

    #[test]
    fn a_page_without_the_marks_is_told() {
        assert_eq!(replaced("a\n<!-- x -->\n", "x", "new"), None);
        assert_eq!(replaced("<!-- /x --> <!-- x -->", "x", "new"), None);
    }
}
