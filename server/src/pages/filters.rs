//! How the pages write numbers.

/// Microseconds as the pages print a time: µs under 0.1 ms, else ms, from a second on s; one decimal, three figures at most.
/// What is too short for a decimal is "<0.1 µs", never zero.
pub fn duration_text(microseconds: f64) -> String {
    let (value, unit) = if microseconds < 100.0 {
        (microseconds, "µs")
    } else if microseconds < 999_500.0 {
        (microseconds / 1e3, "ms")
    } else {
        (microseconds / 1e6, "s")
    };
    if value > 0.0 && value < 0.05 {
        return format!("<0.1 {unit}");
    }
    let decimals = if value < 99.95 { 1 } else { 0 };
    format!("{value:.decimals$} {unit}")
}

/// Bytes with the unit a person would choose: "64 MiB", "1.5 KiB", "12 B".
pub fn byte_text(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = if value.fract() == 0.0 || value >= 99.95 { 0 } else { 1 };
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// Seconds as a person says them: "24 h", "30 min", "90 s".
pub fn life_text(seconds: u64) -> String {
    match seconds {
        0 => "0 s".into(),
        days if days.is_multiple_of(86_400) && days > 86_400 => format!("{} days", days / 86_400),
        hours if hours.is_multiple_of(3_600) => format!("{} h", hours / 3_600),
        minutes if minutes.is_multiple_of(60) => format!("{} min", minutes / 60),
        seconds => format!("{seconds} s"),
    }
}

#[askama::filter_fn]
pub fn time_text(microseconds: &f64, _: &dyn askama::Values) -> askama::Result<String> {
    Ok(duration_text(*microseconds))
}

#[askama::filter_fn]
pub fn hexadecimal(offset: &u32, _: &dyn askama::Values) -> askama::Result<String> {
    Ok(format!("{offset:#x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_decimal_and_three_figures_at_most() {
        let check = |microseconds: f64, expected: &str| assert_eq!(duration_text(microseconds), expected);
        check(0.0, "0.0 µs");
        check(0.02, "<0.1 µs");
        check(4.8, "4.8 µs");
        check(99.9, "99.9 µs");
        check(100.0, "0.1 ms");
        check(62_400.0, "62.4 ms");
        check(271_300.0, "271 ms");
        check(1_240_000.0, "1.2 s");
    }

    #[test]
    fn bytes_and_lives_are_whole_where_they_can_be() {
        assert_eq!(byte_text(12), "12 B");
        assert_eq!(byte_text(64 << 20), "64 MiB");
        assert_eq!(byte_text(1536), "1.5 KiB");
        assert_eq!(life_text(86_400), "24 h");
        assert_eq!(life_text(604_800), "7 days");
        assert_eq!(life_text(1_800), "30 min");
    }
}
