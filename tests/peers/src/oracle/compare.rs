//! Where two runs of one module differ.

use super::{Observed, Outcome};

/// What comparing two runs gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    Same {
        calls: usize,
        returned: usize,
    },
    /// The same until a bound of one engine ended a call: nothing later can be compared.
    Bounded,
    Differs(String),
}

/// Compares outcomes in order, then what can be seen afterwards.
pub fn compare(one: &Observed, other: &Observed) -> Comparison {
    for (index, (left, right)) in one.outcomes.iter().zip(&other.outcomes).enumerate() {
        if *left == Outcome::Bounded || *right == Outcome::Bounded {
            return Comparison::Bounded;
        }
        if left != right {
            let what = if index == 0 { "instantiation".to_owned() } else { format!("call {}", index - 1) };
            return Comparison::Differs(format!("{what}: {left:x?} and {right:x?}"));
        }
    }
    if one.outcomes.len() != other.outcomes.len() {
        return Comparison::Differs(format!("{} and {} outcomes", one.outcomes.len(), other.outcomes.len()));
    }
    if one.globals != other.globals {
        return Comparison::Differs(format!("globals: {:x?} and {:x?}", one.globals, other.globals));
    }
    if one.tables != other.tables {
        return Comparison::Differs(format!("lengths of tables: {:?} and {:?}", one.tables, other.tables));
    }
    match one.memories.iter().zip(&other.memories).find_map(|(left, right)| difference(left, right)) {
        Some(difference) => Comparison::Differs(difference),
        None => {
            let calls = &one.outcomes[1..];
            Comparison::Same { calls: calls.len(), returned: calls.iter().filter(|call| matches!(call, Outcome::Returned(_))).count() }
        }
    }
}

fn difference(left: &[u8], right: &[u8]) -> Option<String> {
    if left.len() != right.len() {
        return Some(format!("a memory has {} and {} bytes", left.len(), right.len()));
    }
    let at = left.iter().zip(right).position(|(left, right)| left != right)?;
    Some(format!("byte {at:#x} of a memory is {:#x} and {:#x}", left[at], right[at]))
}

#[cfg(test)]
mod tests {
    use vivarium_artifact::TrapKind;

    use super::*;

    fn seen(outcomes: Vec<Outcome>, memory: u8) -> Observed {
        Observed { outcomes, memories: vec![vec![0, memory]], globals: vec![7], tables: vec![1] }
    }

    #[test]
    fn outcomes_memories_globals_and_tables_all_count() {
        let one = seen(vec![Outcome::Returned(vec![]), Outcome::Returned(vec![1])], 0);
        assert_eq!(compare(&one, &one), Comparison::Same { calls: 1, returned: 1 });
        let others = [
            seen(vec![Outcome::Returned(vec![]), Outcome::Returned(vec![2])], 0),
            seen(vec![Outcome::Returned(vec![]), Outcome::Trapped(TrapKind::Unreachable)], 0),
            seen(vec![Outcome::Returned(vec![])], 0),
            seen(one.outcomes.clone(), 1),
            Observed { globals: vec![8], ..one.clone() },
            Observed { tables: vec![2], ..one.clone() },
            Observed { memories: vec![vec![0]], ..one.clone() },
        ];
        for other in others {
            assert!(matches!(compare(&one, &other), Comparison::Differs(_)), "{other:?}");
        }
    }

    #[test]
    fn nothing_is_compared_after_a_bound_and_all_before_it() {
        let one = seen(vec![Outcome::Returned(vec![]), Outcome::Bounded], 0);
        assert_eq!(compare(&one, &seen(vec![Outcome::Returned(vec![]), Outcome::Returned(vec![2])], 9)), Comparison::Bounded);
        let trapped = seen(vec![Outcome::Trapped(TrapKind::Unreachable), Outcome::Bounded], 0);
        assert!(matches!(compare(&one, &trapped), Comparison::Differs(_)));
    }
}
