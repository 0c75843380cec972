//! The code generator's settings: one place that decides which instructions a guest's code may consist of.

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable, OptLevel};
use vivarium_artifact::Setting;

use crate::effort::Effort;
use crate::error::CompileError;

/// Whether Cranelift checks the CLIF that we give it: in tests, where a mistake of ours must not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    Yes,
    No,
}

/// The target and the features that code for it needs.
pub struct Target {
    pub isa: OwnedTargetIsa,
    /// The same, but for the slower allocator: with `isa`'s own, each value has a place of its own in the frame.
    pub frugal: Option<OwnedTargetIsa>,
    /// As with the setting `fast`, for functions that are worth little effort; none where nothing is optimised.
    quick: Option<OwnedTargetIsa>,
    /// Names as `is_x86_feature_detected!` spells them.
    pub cpu_features: Vec<String>,
}

impl Target {
    /// What a function is compiled for.
    pub fn isa_for(&self, effort: Effort) -> &OwnedTargetIsa {
        let other = match effort {
            Effort::Usual => None,
            Effort::Frugal => self.frugal.as_ref(),
            Effort::Little => self.quick.as_ref(),
        };
        other.unwrap_or(&self.isa)
    }

    /// Whether the code of such a function is optimised.
    pub fn optimises(&self, effort: Effort) -> bool {
        self.isa_for(effort).flags().opt_level() != OptLevel::None
    }
}

/// Without these Cranelift would call a library function for rounding or has no code for the order of bytes, and the text has no way to call one.
const REQUIRED: [&str; 2] = ["ssse3", "sse4.1"];

/// Each feature that code may use: Cranelift's flag, the name in the contract, whether this machine has it.
///
/// AVX-512 is left out on purpose: preemption saves xmm0 to xmm15 only, and code that needs it would not run on most machines.
macro_rules! features {
    ($($flag:literal = $name:tt,)*) => {
        fn features() -> Vec<(&'static str, &'static str, bool)> {
            vec![$(($flag, $name, std::arch::is_x86_feature_detected!($name)),)*]
        }
    };
}

features! {
    "has_sse3" = "sse3",
    "has_ssse3" = "ssse3",
    "has_cmpxchg16b" = "cmpxchg16b",
    "has_sse41" = "sse4.1",
    "has_sse42" = "sse4.2",
    "has_popcnt" = "popcnt",
    "has_avx" = "avx",
    "has_avx2" = "avx2",
    "has_fma" = "fma",
    "has_bmi1" = "bmi1",
    "has_bmi2" = "bmi2",
    "has_lzcnt" = "lzcnt",
}

/// The target for this machine.
pub fn target(setting: Setting, verify: Verify) -> Result<Target, CompileError> {
    let cpu_features = features().into_iter().filter(|(.., detected)| *detected).map(|(_, name, _)| name.to_owned()).collect::<Vec<_>>();
    if let Some(missing) = REQUIRED.iter().find(|name| !cpu_features.iter().any(|found| found == *name)) {
        return Err(CompileError::Machine(format!("its processor lacks {missing}")));
    }
    let quick = isa("none", "single_pass", verify)?;
    Ok(match setting {
        Setting::Fast => Target { isa: quick, frugal: Some(isa("none", "backtracking", verify)?), quick: None, cpu_features },
        Setting::Best => Target { isa: isa("speed", "backtracking", verify)?, frugal: None, quick: Some(quick), cpu_features },
    })
}

fn isa(opt_level: &str, regalloc: &str, verify: Verify) -> Result<OwnedTargetIsa, CompileError> {
    let machine = |message: &dyn std::fmt::Display| CompileError::Machine(message.to_string());
    let mut builder = cranelift_native::builder_with_options(false).map_err(|error| machine(&error))?;
    for (flag, ..) in features().into_iter().filter(|(.., detected)| *detected) {
        builder.enable(flag).map_err(|error| machine(&error))?;
    }
    builder.finish(flags(opt_level, regalloc, verify).map_err(|error| machine(&error))?).map_err(|error| machine(&error))
}

fn flags(opt_level: &str, regalloc: &str, verify: Verify) -> settings::SetResult<settings::Flags> {
    let mut flags = settings::builder();
    flags.set("opt_level", opt_level)?;
    flags.set("regalloc_algorithm", regalloc)?;
    flags.set("enable_verifier", if verify == Verify::Yes { "true" } else { "false" })?;
    flags.set("is_pic", "false")?;
    flags.set("unwind_info", "false")?;
    flags.set("preserve_frame_pointers", "true")?;
    flags.set("enable_multi_ret_implicit_sret", "true")?;
    flags.set("enable_probestack", "false")?;
    Ok(settings::Flags::new(flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_settings_exist_on_this_machine() {
        for setting in [Setting::Fast, Setting::Best] {
            let target = target(setting, Verify::Yes).unwrap();
            assert!(target.cpu_features.iter().any(|name| name == "sse4.1"));
            assert!(target.cpu_features.iter().all(|name| !name.starts_with("avx512")));
            for effort in [Effort::Usual, Effort::Frugal, Effort::Little] {
                let isa = target.isa_for(effort);
                assert!(isa.flags().preserve_frame_pointers());
                assert_eq!(target.optimises(effort), setting == Setting::Best && effort != Effort::Little);
                let wide = || isa.isa_flags().into_iter().filter(|flag| flag.name.starts_with("has_avx512"));
                assert!(
                    wide().count() > 0 && wide().all(|flag| flag.as_bool() == Some(false)),
                    "preemption saves no registers beyond xmm15"
                );
            }
        }
    }
}
