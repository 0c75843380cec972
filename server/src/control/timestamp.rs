//! A moment: milliseconds since 1970 between processes, RFC 3339 in UTC in JSON.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const DAY_MS: i64 = 86_400_000;
const SHOWN_MS_MAX: i64 = 253_402_300_799_999;
const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    pub unix_ms: u64,
}

impl Timestamp {
    pub fn now() -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp { unix_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX) }
    }

    /// RFC 3339 has four digits for a year: what is later is shown as the last moment that it can spell.
    fn shown_ms(self) -> i64 {
        i64::try_from(self.unix_ms).unwrap_or(i64::MAX).min(SHOWN_MS_MAX)
    }

    /// The time of day, "12:06:18.419".
    pub fn clock(self) -> String {
        self.to_string()[11..23].to_owned()
    }

    /// "25 November 2026, 12:03 UTC".
    pub fn in_words(self) -> String {
        let ms = self.shown_ms();
        let (year, month, day) = date_of(ms / DAY_MS);
        let month = MONTHS[(month - 1) as usize];
        format!("{day} {month} {year}, {:02}:{:02} UTC", ms % DAY_MS / 3_600_000, ms / 60_000 % 60)
    }

    /// Reads what [`Display`](fmt::Display) writes.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        let date: Vec<i64> = date.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let clock: Vec<i64> = clock.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
        let ([year, month, day], [hour, minute, second]) = (&date[..], &clock[..]) else { return None };
        if !(1970..=9999).contains(year) || !(1..=12).contains(month) || !(1..=31).contains(day) {
            return None;
        }
        let seconds = hour * 3600 + minute * 60 + second;
        u64::try_from(days_of(*year, *month, *day) * DAY_MS + seconds * 1000 + millis).ok().map(|unix_ms| Timestamp { unix_ms })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.shown_ms();
        let (year, month, day) = date_of(ms / DAY_MS);
        let of_day = ms % DAY_MS;
        let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", of_day % 1000)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_u64(self.unix_ms) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        if !deserializer.is_human_readable() {
            return u64::deserialize(deserializer).map(|unix_ms| Timestamp { unix_ms });
        }
        let text = String::deserialize(deserializer)?;
        Timestamp::parse(&text).ok_or_else(|| serde::de::Error::custom("a time must be RFC 3339 in UTC"))
    }
}

/// Year, month and day of a day counted from 1970-01-01 (proleptic Gregorian; years are counted from March, so that the leap day is the last).
fn date_of(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`date_of`].
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spelled_in_utc_with_milliseconds() {
        for (unix_ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_570_299_123, "2026-11-25T01:31:39.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp { unix_ms }.to_string(), text);
            assert_eq!(Timestamp::parse(text), Some(Timestamp { unix_ms }));
        }
        assert_eq!(Timestamp { unix_ms: u64::MAX }.clock(), "23:59:59.999");
        let time = Timestamp { unix_ms: 1_795_570_299_123 };
        assert_eq!((time.clock().as_str(), time.in_words().as_str()), ("01:31:39.123", "25 November 2026, 01:31 UTC"));
        assert_eq!(Timestamp::parse("yesterday"), None);
        assert_eq!(Timestamp::parse("2026-13-01T00:00:00Z"), None);
    }

    #[test]
    fn wire_and_json_differ_and_both_read_back() {
        let time = Timestamp { unix_ms: 1_795_570_299_123 };
        assert_eq!(serde_json::to_string(&time).unwrap(), "\"2026-11-25T01:31:39.123Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>("\"2026-11-25T01:31:39.123Z\"").unwrap(), time);
        assert_eq!(postcard::from_bytes::<Timestamp>(&postcard::to_stdvec(&time).unwrap()).unwrap(), time);
    }
}
