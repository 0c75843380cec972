//! Every HTML page of the server: one struct for each, of plain fields, with `render() -> String`. The text lives in `templates/`.
//!
//! ```text
//! workshop  WorkshopPage                                      served by the workshop, `workshop_policy` as its CSP
//! embed     EmbedPage                                         served by the workshop into pages of others, `embed_policy` as its CSP
//! visitor   TrappedPage LimitedPage BadAnswerPage …           served by the gateway, `VISITOR_POLICY` as their CSP
//! ```
//! All values are escaped by the templates; nothing here trusts a name, a path or a message of a guest.

mod embed;
mod filters;
mod visitor;
mod workshop;

pub use embed::{EmbedPage, embed_policy};
pub use visitor::{
    BadAnswerPage, ExpiredPage, Frame, LimitedPage, TrappedPage, UnavailablePage, UnknownPage, VISITOR_POLICY, Waiting, WaitingPage,
    WrongHostPage,
};
pub use workshop::{
    CommandOutput, DeploymentLine, DiagnosticLine, FormResult, LanguageChoice, LimitLine, StageTime, StarterLink, WorkshopPage,
    workshop_policy,
};

/// A template that writes into a string fails only if a value's own formatting does, which no value here can.
fn rendered(result: askama::Result<String>) -> String {
    result.unwrap_or_else(|error| format!("The page could not be written: {error}"))
}
