//! One case: what is done, who stands still where, and who never goes on.

use crate::op::Op;

/// The longest sequence that meets an operation which stands still.
pub const DEPTH: usize = 3;

/// What becomes of the second thread that stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Second {
    /// It goes on after the operation that it met.
    GoesOn,
    /// It stands still until all is judged, as the first does; then both go on.
    Stays,
    /// It never goes on; the first does.
    Never,
}

/// A second thread that stands still in one of the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nested {
    /// In which of the sequence.
    pub at: usize,
    /// Before which of its atomic accesses.
    pub stop: usize,
    /// What it meets.
    pub op: Op,
    /// What becomes of it.
    pub then: Second,
}

/// One case.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What was done before, undisturbed.
    pub start: &'a [Op],
    /// The operation that is stopped.
    pub stopped: Op,
    /// Before which of its atomic accesses; none where it runs through.
    pub stop: Option<usize>,
    /// What it meets there.
    pub meets: &'a [Op],
    /// A second thread that stands still.
    pub nested: Option<Nested>,
    /// The first goes on only after all others have been judged with it standing still for ever.
    pub late: bool,
}

/// What a case came to.
#[derive(Debug)]
pub enum Outcome {
    /// It was judged.
    Judged(Option<crate::place::Finding>),
    /// The operation that is stopped does not apply to the start.
    NoOperation,
    /// It has no such step.
    NoStep,
    /// This one of the sequence does not apply; `DEPTH` for the nested one.
    NotApplicable(usize),
    /// The nested one has no such step.
    NoNestedStep,
}
