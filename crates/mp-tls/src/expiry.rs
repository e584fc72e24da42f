//! The validity of a certificate: a reader of X.509's DER, as far as the field `notAfter`.

/// A value of DER: its tag and its content.
type Value<'a> = (u8, &'a [u8]);

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// Returns the first and the last second of a certificate's validity, in Unix time; `None` if it is
/// malformed or one of them is before 1970.
pub(crate) fn validity(certificate: &[u8]) -> Option<(u64, u64)> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (mut fields, _) = expect(certificate, SEQUENCE)?;
    if let Some(((VERSION, _), rest)) = read(fields) {
        fields = rest;
    }
    // Serial number, algorithm and issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        (_, fields) = expect(fields, tag)?;
    }
    let (validity, _) = expect(fields, SEQUENCE)?;
    let (not_before, rest) = read(validity)?;
    let (not_after, _) = read(rest)?;
    time(not_before).zip(time(not_after))
}

/// Reads a value. Returns it and the bytes after it.
fn read(bytes: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (&[tag, len], rest) = bytes.split_first_chunk()?;
    let (len, rest) = match len {
        0..=0x7f => (usize::from(len), rest),
        // The number of bytes of the length.
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(len & 0x7f))?;
            (digits.iter().fold(0, |len, &digit| len << 8 | usize::from(digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some(((tag, content), rest))
}

/// Reads a value with this tag. Returns its content and the bytes after it.
fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let ((found, content), rest) = read(bytes)?;
    (found == tag).then_some((content, rest))
}

/// Returns the Unix time of `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`, the only forms in certificates.
fn time((tag, text): Value<'_>) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match (tag, text.len()) {
        (UTC_TIME, 12) => {
            let (year, rest) = text.split_at(2);
            let year = year.parse::<i64>().ok()?;
            (if year < 50 { 2_000 + year } else { 1_900 + year }, rest)
        }
        (GENERALIZED_TIME, 14) => (text[..4].parse().ok()?, &text[4..]),
        _ => return None,
    };
    let part = |start: usize| rest[start..start + 2].parse::<i64>().ok();
    let (month, day) = (part(0)?, part(2)?);
    let (hour, minute, second) = (part(4)?, part(6)?, part(8)?);
    let is_valid = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    u64::try_from(seconds).ok().filter(|_| is_valid)
}

/// Returns the number of days from 1970-01-01 to a date of the Gregorian calendar.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + leap_days + day_of_year - DAYS_TO_1970
}

/// Days from 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DevelopmentCertificate;

    #[test]
    fn times_of_certificates_are_unix_times() {
        for (tag, text, seconds) in [
            (UTC_TIME, "700101000000Z", 0),
            (UTC_TIME, "491231235959Z", 2_524_607_999),
            (UTC_TIME, "000229120000Z", 951_825_600),
            (GENERALIZED_TIME, "20500101000000Z", 2_524_608_000),
            (GENERALIZED_TIME, "99991231235959Z", 253_402_300_799),
        ] {
            assert_eq!(time((tag, text.as_bytes())), Some(seconds), "{text}");
        }
        for (tag, text) in [
            (UTC_TIME, "691231235959Z"),
            (UTC_TIME, "20500101000000Z"),
            (GENERALIZED_TIME, "20501301000000Z"),
            (GENERALIZED_TIME, "2050010100000"),
            (GENERALIZED_TIME, "2050010100000aZ"),
            (SEQUENCE, "500101000000Z"),
        ] {
            assert_eq!(time((tag, text.as_bytes())), None, "{text}");
        }
    }

    #[test]
    fn validity_of_a_certificate_is_read_and_truncated_ones_have_none() {
        let made = DevelopmentCertificate::new(&["localhost"]).unwrap();
        let identity = made.identity().unwrap();
        // The defaults of rcgen: 1975-01-01 and 4096-01-01.
        assert_eq!(identity.not_before(), Some(157_766_400));
        assert_eq!(identity.not_after(), Some(67_090_118_400));
        let der = &identity.chain()[0];
        for len in 0..der.len() {
            assert_eq!(validity(&der[..len]), None, "{len} bytes");
        }
    }
}
