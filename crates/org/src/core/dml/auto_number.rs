//! Auto numbers: `CASE-{YYYY}-{00000}` and the like.

use jiff::Timestamp;

/// Writes the nth number of a display format.
pub(super) fn write(format: &str, number: u64, now: Timestamp) -> String {
    let mut out = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((slot, behind)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        out.push_str(&filled(slot, number, now));
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn filled(slot: &str, number: u64, now: Timestamp) -> String {
    match slot {
        "YYYY" => now.strftime("%Y").to_string(),
        "YY" => now.strftime("%y").to_string(),
        "MM" => now.strftime("%m").to_string(),
        "DD" => now.strftime("%d").to_string(),
        zeros if zeros.bytes().all(|b| b == b'0') => format!("{number:0width$}", width = zeros.len()),
        other => format!("{{{other}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let now = "2026-11-22T01:00:00Z".parse().unwrap();
        for (format, number, expect) in [
            ("O-{00000}", 7, "O-00007"),
            ("{0}", 123, "123"),
            ("{YYYY}{MM}/{DD}-{000}", 5, "202611/22-005"),
            ("A{oops}{0", 1, "A{oops}{0"),
            ("", 1, ""),
        ] {
            assert_eq!(write(format, number, now), expect);
        }
    }
}
