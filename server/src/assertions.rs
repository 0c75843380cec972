//! What an answer must be like, said in lines: `[label] target comparison value`.
//!
//! ```text
//! status is 200
//! [names the fern] body includes "fern"
//! header.content-type startsWith text/html
//! json.leaves[0].length isAbove 3
//! log includes "strokes, seed"
//! timings.run isBelow 5 ms
//! outcome isNot trapped
//! ```
//! One source of truth: the workshop runs them by `POST`, for the page and for `vivarium test`. Empty lines and lines that begin with `#` say
//! nothing. Parts: `target` what is looked at, `comparison` how, `line` reads a line, `observed` what there was to look at, `tap` how results
//! are printed.

mod comparison;
mod line;
mod observed;
mod tap;
mod target;

pub use line::{Assertion, Unreadable, count, read};
pub use observed::{Observed, Verdict};
pub use tap::{Tested, tap};
