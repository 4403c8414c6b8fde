//! What is mutated, and into what.

/// The files of `core/src` that are mutated.
pub const FILES: [&str; 19] = [
    "slot",
    "head",
    "lane",
    "catch_up",
    "tail",
    "pace",
    "release",
    "line",
    "driver_waker",
    "advance",
    "grid",
    "schedule",
    "control",
    "waiter",
    "ring",
    "scale",
    "stamp",
    "weight",
    "clock",
];

/// What another binary operator is put in the place of one.
pub fn operators(op: &str) -> &'static [&'static str] {
    match op {
        "==" => &["!="],
        "!=" => &["=="],
        "<" => &["<=", "==", ">"],
        "<=" => &["<", "==", ">"],
        ">" => &[">=", "==", "<"],
        ">=" => &[">", "==", "<"],
        "+" => &["-"],
        "-" => &["+"],
        "/" => &["*"],
        "*" => &["/"],
        "&" => &["|", "^"],
        // Not `^`: every `|` joins bits that don't overlap, but for those in `handwritten.txt`.
        "|" => &["&"],
        "^" => &["&", "|"],
        "<<" => &[">>"],
        ">>" => &["<<"],
        _ => &[],
    }
}

/// A method that takes a value, and its opposite.
pub fn opposite(method: &str) -> Option<&'static str> {
    const PAIRS: [(&str, &str); 6] = [
        ("plus", "minus"),
        ("wrapping_add", "wrapping_sub"),
        ("saturating_add", "saturating_sub"),
        ("min", "max"),
        ("shl", "shr"),
        ("shr", "shl"),
    ];
    PAIRS.iter().find_map(|&(one, other)| match method {
        _ if method == one => Some(other),
        _ if method == other => Some(one),
        _ => None,
    })
}

/// A method that takes a closure, and its opposite.
pub fn opposite_of_closure(method: &str) -> Option<&'static str> {
    match method {
        "is_some_and" => Some("is_none_or"),
        "is_none_or" => Some("is_some_and"),
        _ => None,
    }
}

/// Constants in whose place a 0 is put; those that are 0 anyway are not among them.
pub const MASKS: &[&str] = &[
    "UNTOLD",
    "TICKET",
    "ONE",
    "PHASE",
    "RELEASING",
    "TAKING",
    "TURN",
    "NOT_RETURNABLE",
    "VERSION",
    "IDLE",
    "DRAINING",
    "CLOSED",
    "MARKS",
    "BUSY",
    "STATE",
    "ARMED",
    "CANCELLED",
    "LAP",
    "EXTRA",
    "CLAIMED",
    "BANK",
    "HELD",
    "NEXT",
    "TOLD",
    "LEFT",
    "BITS",
    "TICKET_SHIFT",
    "VERSION_SHIFT",
    "MAX_WEIGHT",
    "MAX_EXTRA",
];

/// Constants of a word, and those that are put in their place.
pub fn word_constant(name: &str) -> Option<&'static str> {
    match name {
        "ZERO" => Some("ONE"),
        "ONE" | "TICK" | "FRESH" | "MAX_SPAN" | "HALF" => Some("ZERO"),
        _ => None,
    }
}

/// What a function of this type returns at once, in place of all that it does.
pub fn early_returns(output: &str) -> &'static [&'static str] {
    match output {
        "" => &["return;"],
        "bool" => &["return true;", "return false;"],
        "usize" => &["return 0;", "return 1;"],
        "W" => &["return W::ZERO;"],
        _ if output.starts_with("Option <") => &["return None;"],
        _ if output.starts_with("Result < () ,") => &["return Ok(());"],
        _ => &[],
    }
}
