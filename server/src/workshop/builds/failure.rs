//! Why a build gave nothing to run, where it was not for errors in the program's text.

use vivarium_toolchains::BuildError;

use crate::compile::pool::CompileFailure;

/// Whose fault it is, and so what may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fault {
    /// Another program may be built.
    #[default]
    Program,
    /// Something is missing here, until somebody sets it up.
    Setup,
    /// The host could not do it now.
    Passing,
    /// A mistake in Vivarium.
    Defect,
}

/// A build's end as a sentence, with the name of the limit that it reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildFailure {
    pub sentence: String,
    pub limit: Option<&'static str>,
    pub fault: Fault,
}

impl BuildFailure {
    /// The thread that built it panicked.
    pub fn defect() -> BuildFailure {
        let sentence = "Vivarium itself failed while it built this program: another program may work, and so may this one changed a little";
        BuildFailure { sentence: sentence.into(), limit: None, fault: Fault::Defect }
    }
}

impl From<BuildError> for BuildFailure {
    fn from(error: BuildError) -> BuildFailure {
        let fault = match error {
            BuildError::Unavailable { .. } | BuildError::JailUnavailable { .. } | BuildError::OutputMissing => Fault::Setup,
            BuildError::Io { .. } => Fault::Passing,
            _ => Fault::Program,
        };
        BuildFailure { sentence: error.to_string(), limit: error.limit(), fault }
    }
}

impl From<CompileFailure> for BuildFailure {
    fn from(failure: CompileFailure) -> BuildFailure {
        let (fault, limit) = match failure {
            CompileFailure::Unavailable(_) => (Fault::Passing, None),
            CompileFailure::TimedOut { limit, .. } => (Fault::Program, Some(limit)),
            _ => (Fault::Program, None),
        };
        BuildFailure { sentence: failure.to_string(), limit, fault }
    }
}
