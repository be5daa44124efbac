//! Dates as HTTP writes them.

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A second since 1970, as in `Sun, 06 Nov 1994 08:49:37 GMT`; `None` after the year 9999.
pub fn date(seconds: u64) -> Option<String> {
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, of_month) = civil(day);
    if year > 9_999 {
        return None;
    }
    let week_day = DAYS.get(usize::try_from(day % 7).ok()?)?;
    let month = MONTHS.get(usize::try_from(month).ok()?)?;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    Some(format!(
        "{week_day}, {of_month:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT"
    ))
}

/// The year, the month from 0 on, and the day of the month, of a day since 1970. In years
/// that begin in March the leap day is the last one, and months follow a rule.
fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year + u64::from(month >= 10);
    (year, (month + 2) % 12, of_month)
}
