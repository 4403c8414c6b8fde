//! `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers: lists of structured fields (RFC 9651).

use std::time::Duration;

use sfv::{Item, List, ListEntry, Parser};

use super::{Allowance, Headers};

/// One for each policy that the fields name.
pub(super) fn allowances(headers: &Headers<'_>) -> Vec<Allowance> {
    let policies = list(headers, "ratelimit-policy");
    let limits = list(headers, "ratelimit");
    let policy = |item: &Item| {
        let (count, time) = (number(item, "q")?, number(item, "w")?);
        (time > 0 && counts_calls(item)).then(|| (count, Duration::from_secs(time)))
    };
    let of_limits = limits.iter().map(|item| Allowance {
        remaining: number(item, "r"),
        reset: number(item, "t")
            .filter(|&t| t > 0)
            .map(Duration::from_secs),
        policy: None,
        // Its policy says what is counted, and calls is what it does not have to say.
        of_calls: named(&policies, item).is_none_or(counts_calls),
        gathers: 0,
    });
    let of_policies = policies
        .iter()
        .filter(|item| named(&limits, item).is_none_or(|limit| number(limit, "t").is_none()))
        .map(|item| Allowance {
            policy: policy(item),
            of_calls: true,
            ..Allowance::default()
        });
    of_limits.chain(of_policies).collect()
}

fn counts_calls(policy: &Item) -> bool {
    let unit = policy.params.get("qu");
    unit.is_none_or(|unit| {
        unit.as_string()
            .is_some_and(|unit| unit.as_str() == "requests")
    })
}

fn named<'a>(list: &'a [Item], item: &Item) -> Option<&'a Item> {
    list.iter().find(|other| other.bare_item == item.bare_item)
}

fn number(item: &Item, key: &str) -> Option<u64> {
    let number = item.params.get(key)?.as_integer()?;
    u64::try_from(i64::from(number)).ok()
}

/// The items of a field, whose lines are one list. Nothing where that can't be read.
fn list(headers: &Headers<'_>, name: &str) -> Vec<Item> {
    let lines: Vec<&[u8]> = headers
        .fields
        .get_all(name)
        .iter()
        .map(http::HeaderValue::as_bytes)
        .collect();
    let list: List = Parser::new(&lines.join(&b","[..]))
        .parse()
        .unwrap_or_default();
    list.into_iter()
        .filter_map(|entry| match entry {
            ListEntry::Item(item) => Some(item),
            ListEntry::InnerList(_) => None,
        })
        .collect()
}
