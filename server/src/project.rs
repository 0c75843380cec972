//! The files of a project, as its program finds them under `/`: its source, and assets beside it, which no compiler reads.
//!
//! A project is stored as one blob; it travels to the gateway with each revision and is shared by all instances of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use vivarium_abi::files::{ProjectError, ProjectFiles};
use vivarium_toolchains::{Language, SourceTree};

use crate::limits::Limits;

/// Content by path, as messages carry it.
pub type Files = Vec<(String, Vec<u8>)>;

/// A project as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    pub language: Language,
    /// The source: text by path.
    pub files: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Assets::is_empty")]
    pub assets: Assets,
}

/// Files beside the source, by path; their content is base64 in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Assets(BTreeMap<String, Vec<u8>>);

/// Why assets are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssetError {
    #[error("the asset {0:?} is no base64: send its bytes encoded with A-Z a-z 0-9 + / and = at the end")]
    Encoding(String),
    #[error("{count} assets are more than the limit assets_max of {assets_max}")]
    TooMany { count: usize, assets_max: usize },
    #[error("the assets have {bytes} bytes, more than the limit assets_bytes_max of {assets_bytes_max}")]
    TooLarge { bytes: usize, assets_bytes_max: usize },
    #[error("the name of the asset {0:?} is longer than the limit file_name_bytes_max")]
    NameTooLong(String),
    #[error("{0:?} is no name of an asset: '\\\\', ':' and control characters mean something else where its program is unpacked")]
    Name(String),
    #[error("{0:?} is both a source file and an asset: name one of them otherwise")]
    InSource(String),
    #[error("{0}")]
    Tree(#[from] ProjectError),
}

impl AssetError {
    /// The limit that was passed.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            AssetError::TooMany { .. } => Some("assets_max"),
            AssetError::TooLarge { .. } => Some("assets_bytes_max"),
            AssetError::NameTooLong(_) => Some("file_name_bytes_max"),
            AssetError::Encoding(_) | AssetError::Name(_) | AssetError::InSource(_) | AssetError::Tree(_) => None,
        }
    }
}

impl Assets {
    pub fn new(files: BTreeMap<String, Vec<u8>>) -> Assets {
        Assets(files)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sizes in bytes by path.
    pub fn sizes(&self) -> BTreeMap<String, usize> {
        self.0.iter().map(|(name, content)| (name.clone(), content.len())).collect()
    }

    fn check(&self, limits: &Limits) -> Result<(), AssetError> {
        let (count, bytes) = (self.0.len(), self.0.values().map(Vec::len).sum());
        if count > limits.assets_max {
            return Err(AssetError::TooMany { count, assets_max: limits.assets_max });
        }
        if bytes > limits.assets_bytes_max {
            return Err(AssetError::TooLarge { bytes, assets_bytes_max: limits.assets_bytes_max });
        }
        if let Some(name) = self.0.keys().find(|name| name.len() > limits.file_name_bytes_max) {
            return Err(AssetError::NameTooLong(name.chars().take(limits.file_name_bytes_max).collect()));
        }
        match self.0.keys().find(|name| name.contains(strays)) {
            Some(name) => Err(AssetError::Name(name.clone())),
            None => Ok(()),
        }
    }
}

/// What may lead a file out of the folder that it is unpacked to, on some system.
pub fn strays(letter: char) -> bool {
    matches!(letter, '\\' | ':') || letter.is_control()
}

impl TryFrom<BTreeMap<String, String>> for Assets {
    type Error = AssetError;

    fn try_from(encoded: BTreeMap<String, String>) -> Result<Assets, AssetError> {
        let decode = |(name, text): (String, String)| match BASE64.decode(text.as_bytes()) {
            Ok(content) => Ok((name, content)),
            Err(_) => Err(AssetError::Encoding(name)),
        };
        encoded.into_iter().map(decode).collect::<Result<_, _>>().map(Assets)
    }
}

impl From<Assets> for BTreeMap<String, String> {
    fn from(assets: Assets) -> BTreeMap<String, String> {
        assets.0.into_iter().map(|(name, content)| (name, BASE64.encode(&content))).collect()
    }
}

impl Project {
    /// Source and assets, if they go together.
    pub fn new(source: &SourceTree, assets: Assets, limits: &Limits) -> Result<Project, AssetError> {
        assets.check(limits)?;
        let twice = assets.0.keys().find(|name| source.files().contains_key(*name));
        if let Some(name) = twice {
            return Err(AssetError::InSource(name.clone()));
        }
        let project = Project { language: source.language(), files: source.files().clone(), assets };
        tree(project.program_files())?;
        Ok(project)
    }

    /// All of it, as the program sees it.
    pub fn program_files(&self) -> Files {
        let source = self.files.iter().map(|(name, text)| (name.clone(), text.clone().into_bytes()));
        source.chain(self.assets.0.iter().map(|(name, content)| (name.clone(), content.clone()))).collect()
    }
}

/// The tree that a program sees under `/`.
pub fn tree(files: Files) -> Result<ProjectFiles, ProjectError> {
    ProjectFiles::new(files.into_iter().map(|(name, content)| (name, Bytes::from(content))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vivarium_toolchains::SourceLimits;

    fn source(names: &[&str]) -> SourceTree {
        let files = names.iter().map(|name| (name.to_string(), "text".to_string())).collect();
        SourceTree::new(Language::C, files, &SourceLimits::default()).unwrap()
    }

    fn assets(files: &[(&str, &str)]) -> BTreeMap<String, String> {
        files.iter().map(|(name, content)| (name.to_string(), content.to_string())).collect()
    }

    fn check(files: &[(&str, &str)], expected: Result<usize, &str>) {
        let limits = Limits { assets_max: 2, assets_bytes_max: 5, ..Limits::default() };
        let project = Assets::try_from(assets(files)).and_then(|assets| Project::new(&source(&["main.c", "data/words"]), assets, &limits));
        match (project, expected) {
            (Ok(project), Ok(files)) => assert_eq!(project.program_files().len(), files),
            (Err(error), Err(said)) => assert!(error.to_string().contains(said), "{error}"),
            (project, expected) => panic!("{project:?}, not {expected:?}"),
        }
    }

    #[test]
    fn assets_lie_beside_the_source() {
        check(&[], Ok(2));
        check(&[("data/logo.png", "AP8="), ("notes", "YWJj")], Ok(4));
        check(&[("main.c", "AP8=")], Err("both a source file and an asset"));
        check(&[("data", "AP8=")], Err("both a file and a folder"));
        check(&[("../x", "AP8=")], Err("no path of a project file"));
        for name in ["..\\x", "C:x", "a\nb"] {
            check(&[(name, "AP8=")], Err("no name of an asset"));
        }
        check(&[("x", "AP8")], Err("no base64"));
        check(&[("x", "YWJjZGVm")], Err("assets_bytes_max of 5"));
        check(&[("x", ""), ("y", ""), ("z", "")], Err("assets_max of 2"));
        check(&[(&"x".repeat(200), "")], Err("file_name_bytes_max"));
    }

    #[test]
    fn a_project_is_stored_as_json_and_one_without_assets_as_it_always_was() {
        let limits = Limits::default();
        let plain = Project::new(&source(&["main.c"]), Assets::default(), &limits).unwrap();
        assert_eq!(serde_json::to_string(&plain).unwrap(), r#"{"language":"c","files":{"main.c":"text"}}"#);
        let whole = Project::new(&source(&["main.c"]), Assets::try_from(assets(&[("x", "AP8=")])).unwrap(), &limits).unwrap();
        let stored = serde_json::to_string(&whole).unwrap();
        assert_eq!(stored, r#"{"language":"c","files":{"main.c":"text"},"assets":{"x":"AP8="}}"#);
        for project in [plain, whole] {
            let stored = serde_json::to_vec(&project).unwrap();
            assert_eq!(serde_json::from_slice::<Project>(&stored).unwrap(), project);
        }
    }
}
