//! HTTP the CGI way (RFC 3875): a request becomes an environment and standard input, standard output becomes a response.

mod environment;
mod output;
mod response;

pub use environment::{Connection, environment};
pub use response::{BrokenHeader, CgiResponse, begun, parse};
