//! A stored program as part of somebody else's page: its code, and what it answers when a reader presses Run.

use askama::Template;

use super::rendered;
use crate::assets;

/// `Content-Security-Policy` of the embed: like the workshop's, but anybody's page may frame it, and it posts no form.
pub fn embed_policy(style_nonce: &str, guest_origins: &str) -> String {
    format!(
        "default-src 'self'; script-src 'self'; style-src 'self' 'nonce-{style_nonce}'; img-src 'self' data:; \
         connect-src 'self'; frame-src {guest_origins}; form-action 'none'; frame-ancestors *; base-uri 'none'; object-src 'none'"
    )
}

/// What the embed is made of.
#[derive(Clone, Debug, Default)]
pub struct EmbedPage {
    /// Fresh for each response, as that of the workshop page.
    pub style_nonce: String,
    pub name: String,
    /// "code" or "run": what is shown where there is no room for both.
    pub view: &'static str,
    /// "light", "dark", or empty: the reader's system decides.
    pub theme: &'static str,
    pub files: Vec<String>,
    pub shown_file: String,
    pub code: String,
    /// Where the program can be read, forked and changed.
    pub open_url: String,
    /// What the script is told.
    pub data_json: String,
}

#[derive(Template)]
#[template(path = "embed.html")]
struct EmbedTemplate<'a> {
    style_nonce: &'a str,
    name: &'a str,
    view: &'a str,
    theme: &'a str,
    files: &'a [String],
    shown_file: &'a str,
    code: &'a str,
    open_url: &'a str,
    data_json: String,
    script: String,
    stylesheet: String,
    icon: String,
}

impl EmbedPage {
    /// Without a built front end the code is shown, and nothing runs.
    pub fn render(&self) -> String {
        let url = |name| assets::url(name).unwrap_or_default();
        rendered(
            EmbedTemplate {
                style_nonce: &self.style_nonce,
                name: &self.name,
                view: self.view,
                theme: self.theme,
                files: &self.files,
                shown_file: &self.shown_file,
                code: &self.code,
                open_url: &self.open_url,
                data_json: self.data_json.replace('<', "\\u003c"),
                script: url("embed.js"),
                stylesheet: url("embed.css"),
                icon: url("mark.svg"),
            }
            .render(),
        )
    }
}
