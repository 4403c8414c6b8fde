//! [`Halt`]: after how many jobs to start no more.

/// When to stop before the end: `soon,fail=3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Halt {
    /// Whether those that run are ended, too.
    pub(super) is_now: bool,
    what: What,
    count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Fail,
    Success,
    Done,
}

impl Halt {
    /// Whether this is it, once so many have failed and succeeded, of which the latest did as told.
    pub(super) fn is_met(self, failed: u64, succeeded: u64, latest_failed: bool) -> bool {
        match self.what {
            What::Fail => latest_failed && failed >= self.count,
            What::Success => !latest_failed && succeeded >= self.count,
            What::Done => failed + succeeded >= self.count,
        }
    }

    /// `never` is none.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, String> {
        if text == "never" {
            return Ok(None);
        }
        let parts = text.split_once(',').and_then(|(when, what)| {
            let is_now = match when {
                "now" => true,
                "soon" => false,
                _ => return None,
            };
            let (what, count) = what.split_once('=')?;
            let what = match what {
                "fail" => What::Fail,
                "success" => What::Success,
                "done" => What::Done,
                _ => return None,
            };
            let count = count.parse().ok().filter(|count| *count > 0)?;
            Some(Self {
                is_now,
                what,
                count,
            })
        });
        parts.map(Some).ok_or_else(|| {
            "say never, or soon or now, a comma, and fail=N, success=N or done=N with N from 1 on, such as soon,fail=1".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn it_is_met_by_what_it_counts() {
        let halt = |text| Halt::parse(text).unwrap().unwrap();
        assert!(halt("now,fail=1").is_now);
        assert!(!halt("soon,fail=2").is_met(1, 9, true));
        assert!(halt("soon,fail=2").is_met(2, 9, true));
        assert!(!halt("soon,fail=2").is_met(2, 9, false));
        assert!(halt("soon,success=1").is_met(9, 1, false));
        assert!(halt("soon,done=3").is_met(1, 2, false));
        assert_eq!(Halt::parse("never"), Ok(None));
    }

    #[test]
    fn what_is_none_is_refused() {
        for bad in [
            "",
            "now",
            "now,",
            "now,fail",
            "now,fail=0",
            "now,fail=-1",
            "now,fail=1%",
            "later,fail=1",
            "now,x=1",
        ] {
            assert!(Halt::parse(bad).is_err(), "{bad}");
        }
    }
}
