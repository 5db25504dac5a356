//! Decimal numbers: read, and rounded half up as people do it, not as binary fractions fall.

/// Reads a decimal number, with or without an exponent.
pub(super) fn parse(text: &str) -> Option<f64> {
    let plain = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E');
    if !text.bytes().all(plain) {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Rounds to this many digits behind the point, a five upwards (away from zero).
pub(crate) fn round(value: f64, scale: u32) -> f64 {
    // The shortest text that reads back as the value is the decimal the client meant.
    let text = value.abs().to_string();
    let Some((whole, fraction)) = text.split_once('.') else { return value };
    let keep = scale as usize;
    if fraction.len() <= keep {
        return value;
    }
    let up = fraction.as_bytes()[keep] >= b'5';
    let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes().take(keep)).collect();
    if up {
        increment(&mut digits);
    }
    digits.insert(digits.len() - keep, b'.');
    let rounded: f64 = String::from_utf8(digits).ok().and_then(|t| t.parse().ok()).unwrap_or(value.abs());
    if value < 0.0 && rounded != 0.0 { -rounded } else { rounded }
}

fn increment(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn halves_go_up() {
        for (value, scale, expect) in [
            (1.005, 2, 1.01),
            (2.5, 0, 3.0),
            (-2.5, 0, -3.0),
            (0.125, 2, 0.13),
            (9.999, 2, 10.0),
            (-0.001, 2, 0.0),
            (1e300, 2, 1e300),
            (5e-324, 2, 0.0),
            (1234.5678, 4, 1234.5678),
        ] {
            assert_eq!(round(value, scale), expect, "{value} to {scale}");
        }
    }

    proptest! {
        #[test]
        fn rounding_stays_near_and_holds(value in -1e12..1e12_f64, scale in 0u32..6) {
            let rounded = round(value, scale);
            prop_assert!((rounded - value).abs() <= 0.5 / 10_f64.powi(scale as i32) + 1e-3);
            prop_assert_eq!(round(rounded, scale), rounded);
        }
    }
}
