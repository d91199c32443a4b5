//! Days as pages write them: ISO 8601 and what resembles it, RFC 2822, and English with the month's name.

/// The web has pages of works that are older, but says of them when they were put there.
const FIRST_YEAR: u16 = 1990;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day {
    year: u16,
    month: u8,
    day: u8,
}

impl Day {
    /// The day that a text begins with, or names.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let parts: Vec<&str> =
            text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
        let at = |at: usize| parts.get(at).copied().unwrap_or_default();
        let first = at(0);
        if first.len() == 4 && first.bytes().all(|byte| byte.is_ascii_digit()) {
            // What follows the day is a time: `2019-11-19T10:00`.
            let digits = at(2).bytes().take_while(u8::is_ascii_digit).count();
            return Self::new(first, at(1), at(2).get(..digits)?);
        }
        if first.bytes().take_while(u8::is_ascii_digit).count() == 8 {
            return Self::new(first.get(..4)?, first.get(4..6)?, first.get(6..8)?);
        }
        let (place, month) = parts.iter().take(4).enumerate().find_map(|(place, part)| {
            let begins = part.get(..3)?.to_ascii_lowercase();
            let month = MONTHS.iter().position(|month| *month == begins)?;
            Some((place, (month + 1).to_string()))
        })?;
        let (before, after) = (at(place.checked_sub(1).unwrap_or(usize::MAX)), at(place + 1));
        let bare = |day: &str| day.trim_end_matches(|c: char| c.is_ascii_lowercase()).to_owned();
        // `19 November 2019`, or `November 19th, 2019`.
        Self::new(after, &month, &bare(before)).or_else(|| Self::new(at(place + 2), &month, &bare(after)))
    }

    fn new(year: &str, month: &str, day: &str) -> Option<Self> {
        if year.len() != 4 {
            return None;
        }
        let day = Self { year: year.parse().ok()?, month: month.parse().ok()?, day: day.parse().ok()? };
        let is_leap =
            day.year.is_multiple_of(4) && (!day.year.is_multiple_of(100) || day.year.is_multiple_of(400));
        let days = match day.month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u8::from(is_leap),
            1..=12 => 31,
            _ => 0,
        };
        (FIRST_YEAR <= day.year && (1..=days).contains(&day.day)).then_some(day)
    }

    pub(super) fn iso(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// The last day that it still is somewhere when it is this day in Greenwich.
    pub(super) fn latest(self) -> Self {
        let (day, month) = (self.day + 1, self.month);
        [(self.year, month, day), (self.year, month + 1, 1), (self.year + 1, 1, 1)]
            .into_iter()
            .find_map(|(year, month, day)| Self::new(&year.to_string(), &month.to_string(), &day.to_string()))
            .unwrap_or(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, day: Option<&str>) {
        assert_eq!(Day::parse(text).map(Day::iso).as_deref(), day, "{text:?}");
    }

    #[test]
    fn days_are_read() {
        check("2019-11-19", Some("2019-11-19"));
        check(" 2019-11-19T10:00:00+01:00", Some("2019-11-19"));
        check("2019-11-19 10:00", Some("2019-11-19"));
        check("2019/1/9", Some("2019-01-09"));
        check("20191119", Some("2019-11-19"));
        check("20191119T100000Z", Some("2019-11-19"));
        check("Tue, 19 Nov 2019 10:00:00 GMT", Some("2019-11-19"));
        check("November 19th, 2019", Some("2019-11-19"));
        check("19 november 2019", Some("2019-11-19"));
        check("2020-02-29", Some("2020-02-29"));
    }

    #[test]
    fn what_is_no_day_is_none() {
        for text in [
            "",
            "2019",
            "2019-11",
            "2019-13-01",
            "2019-02-29",
            "0001-01-01",
            "1573",
            "soon",
            "é-é-é",
            "1574168580000",
            "19.11.2019",
            "May",
            "3 days ago",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn the_next_day_follows() {
        let check = |day: &str, next: &str| assert_eq!(Day::parse(day).unwrap().latest().iso(), next);
        check("2019-11-19", "2019-11-20");
        check("2019-11-30", "2019-12-01");
        check("2019-12-31", "2020-01-01");
        check("2020-02-28", "2020-02-29");
    }
}
