//! Numbers as their decimal digits, so that a five is rounded as people do it and not as binary fractions fall.

use crate::sync::Stored;

/// What a double keeps of any decimal number.
const DIGITS: usize = 15;
/// Up to here every whole number is a double of its own.
const EXACT: u64 = 1 << 53;

/// The number that a text spells; none for `inf`, `0x1f` and the like.
pub(in crate::sync) fn parse(text: &str) -> Option<Stored> {
    let text = text.trim();
    let number = |letter: u8| letter.is_ascii_digit() || matches!(letter, b'+' | b'-' | b'.' | b'e' | b'E');
    if !text.bytes().all(number) {
        return None;
    }
    if let Ok(whole) = text.parse() {
        return Some(Stored::Int(whole));
    }
    text.parse().ok().filter(|number: &f64| number.is_finite()).map(Stored::Double)
}

/// The canonical form of a number with so many decimals; none where the value is in it or is no number.
pub(super) fn decimal(value: &Stored, scale: u8) -> Option<Stored> {
    let form = match value {
        Stored::Int(_) => of(value, scale)?,
        Stored::Double(number) => {
            if is_rounded(*number, scale) {
                return None;
            }
            of(value, scale)?
        }
        Stored::Text(text) => of(&parse(text)?, scale)?,
        _ => return None,
    };
    Some(Stored::Double(form))
}

/// The canonical form of a whole number; none where the value is in it or is no number.
pub(super) fn integer(value: &Stored) -> Option<Stored> {
    let number = match value {
        Stored::Int(number) if number.unsigned_abs() <= EXACT => return None,
        Stored::Int(_) | Stored::Double(_) => value,
        Stored::Text(text) => &parse(text)?,
        _ => return None,
    };
    if let Stored::Int(exact) = number
        && exact.unsigned_abs() <= EXACT
    {
        return Some(Stored::Int(*exact));
    }
    let whole = round(number, 0)?;
    if whole.abs() <= EXACT as f64 {
        return Some(Stored::Int(whole as i64));
    }
    // An i64 and a double are the same number from here on.
    let form = Decimal::of(&Stored::Double(whole))?.significant(DIGITS).value();
    let form = if form.abs() <= EXACT as f64 { Stored::Int(form as i64) } else { Stored::Double(form) };
    (*value != form).then_some(form)
}

/// A number with so many decimals and all its other digits; what is no number stays what it is.
pub(super) fn rounded(value: &Stored, scale: u8) -> Stored {
    let number = match value {
        Stored::Text(text) => match parse(text) {
            Some(whole @ Stored::Int(_)) => return whole,
            Some(number) => number,
            None if text.trim().is_empty() => return Stored::Null,
            None => return value.clone(),
        },
        other => other.clone(),
    };
    match round(&number, scale) {
        Some(number) => Stored::Double(number),
        None if matches!(number, Stored::Double(number) if number.is_nan()) => Stored::Text("NaN".to_owned()),
        None => number,
    }
}

fn of(number: &Stored, scale: u8) -> Option<f64> {
    Some(Decimal::of(number)?.at_scale(scale).significant(DIGITS).value())
}

fn round(number: &Stored, scale: u8) -> Option<f64> {
    if let Stored::Double(number) = number
        && is_rounded(*number, scale)
    {
        return Some(*number);
    }
    Some(Decimal::of(number)?.at_scale(scale).value())
}

/// Whether a number surely has no more digits than 15, and no more decimals than this: then it is the double next to
/// k / 10^scale, and k and the power are exact.
fn is_rounded(number: f64, scale: u8) -> bool {
    if scale > 22 || number == 0.0 {
        return number == 0.0 && number.is_sign_positive();
    }
    let power = 10f64.powi(i32::from(scale));
    let shifted = (number * power).round();
    shifted.abs() < 1e15 && shifted / power == number
}

/// A number as decimal digits: 0.digits × 10^exponent.
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// The shortest digits that name the number; none for what is no finite number.
    fn of(number: &Stored) -> Option<Self> {
        let text = match number {
            Stored::Int(number) => format!("{number:e}"),
            Stored::Double(number) if number.is_finite() => format!("{number:e}"),
            _ => return None,
        };
        let (mantissa, exponent) = text.split_once('e')?;
        let negative = mantissa.starts_with('-');
        let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
        Some(Self { negative, digits, exponent: exponent.parse::<i64>().ok()? + 1 })
    }

    fn at_scale(self, scale: u8) -> Self {
        let kept = self.exponent + i64::from(scale);
        if kept < 0 {
            Self { digits: Vec::new(), ..self }
        } else {
            self.significant(usize::try_from(kept).unwrap_or(0))
        }
    }

    /// Keeps so many digits, a five rounded away from zero.
    fn significant(mut self, kept: usize) -> Self {
        if kept >= self.digits.len() {
            return self;
        }
        let up = self.digits[kept] >= b'5';
        self.digits.truncate(kept);
        if up {
            self.increment();
        }
        self
    }

    /// Adds one to the last digit.
    fn increment(&mut self) {
        while let Some(last) = self.digits.pop() {
            if last < b'9' {
                self.digits.push(last + 1);
                return;
            }
        }
        self.digits.push(b'1');
        self.exponent += 1;
    }

    fn value(&self) -> f64 {
        let Ok(digits) = std::str::from_utf8(&self.digits) else { return 0.0 };
        if digits.is_empty() {
            return 0.0;
        }
        let sign = if self.negative { "-" } else { "" };
        // Digits and an exponent are always a number; zeros lose their sign.
        let number = format!("{sign}0.{digits}e{}", self.exponent).parse().unwrap_or(0.0);
        if number == 0.0 { 0.0 } else { number }
    }
}
