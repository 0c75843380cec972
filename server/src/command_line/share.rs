//! `vivarium share` and `vivarium open`: a program under an address that stays, and a deployment in a browser.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use http::Method;
use serde_json::json;

use super::Context;
use super::client::{Ask, segment};
use super::failure::Failure;
use super::server::Server;
use super::source::Source;
use crate::limits::Limits;
use crate::processes;

#[derive(Debug, Args)]
pub struct Share {
    /// A source file, or a folder with a main file
    path: PathBuf,
    #[command(flatten)]
    server: Server,
}

impl Share {
    pub fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let (client, source) = (self.server.client()?, Source::read(&self.path, &Limits::default())?);
        let token = self.server.token(context, None)?;
        let shared = client.ask(Method::POST, "/api/v1/shares", token.as_deref(), Ask::Json(&source.body()))?.json()?;
        context.print(|| shared.clone(), || format!("{}\n", shared["url"].as_str().unwrap_or_default()));
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub struct Open {
    /// The deployment
    slug: String,
    #[command(flatten)]
    server: Server,
}

impl Open {
    pub fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let client = self.server.client()?;
        let path = format!("/api/v1/deployments/{}", segment(&self.slug));
        let view = client.ask(Method::GET, &path, None, Ask::Nothing)?.json()?;
        let url = view["url"].as_str().ok_or_else(|| Failure::system("the server's answer has no URL"))?;
        context.print(|| json!({ "url": url }), || format!("{url}\n"));
        // Who has no browser here has the URL.
        if let Err(error) = processes::browse(url) {
            eprintln!("vivarium: no browser was opened: {error}");
        }
        Ok(ExitCode::SUCCESS)
    }
}
