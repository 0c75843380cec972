//! What programs may use beside the library of their language.

use serde::Serialize;

/// One library, there for `use`, `#include` or `import` alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Library {
    /// What a program writes to have it.
    pub name: String,
    pub version: String,
    /// Its documentation.
    pub link: String,
}
