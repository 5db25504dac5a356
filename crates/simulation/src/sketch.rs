//! The text of a world in which numbers that mean nothing by themselves are given anew.

use std::{
    collections::BTreeSet,
    fmt::{self, Write},
    hash::Hasher,
    ops::Range,
};

/// What a number tells apart. Those of one kind keep their order, and what is the same stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Of a batch.
    Batch,
    /// Of a question, or of a transaction.
    Ticket,
    /// How many writes had left.
    Clock,
    /// Of an outbox row.
    Order,
    /// Of the write of a link, in the id of its operation.
    Operation,
}

/// Takes the text of what is looked at, as `{:?}` says it, piece by piece.
#[derive(Debug, Default)]
pub struct Sketch {
    text: Vec<u8>,
    /// The numbers that are given anew, and the place in the text where each stands.
    numbers: Vec<(Kind, u64, usize)>,
    /// The ids of operations that are spoken of.
    operations: BTreeSet<String>,
    last: Range<usize>,
    field: Field,
    /// Of pairs only the second number is given anew.
    second: bool,
}

/// What the field means whose value comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Field {
    /// What it says.
    #[default]
    Plain,
    /// A number that is given anew.
    Numbered(Kind),
    /// The marks of confirmed writes: (epoch, batch).
    Pairs,
    /// A text that is left out, and whether it began.
    Unsaid(bool),
    /// A number that is left out.
    Nothing,
    /// A position: left out up to its end.
    Position,
    /// The id of an operation, and whether it began.
    Operation(bool),
}

impl Sketch {
    /// What a field means. The places of the journal and how often a link was written or made are for people, and for
    /// names that only have to be new. Identities only tell changes apart that were heard twice; where that can still
    /// happen, it is said whether a change is in the journal. A source is where it was heard last.
    fn meaning(name: &[u8]) -> Field {
        match name {
            b"batch" => Field::Numbered(Kind::Batch),
            b"ticket" => Field::Numbered(Kind::Ticket),
            b"clock" => Field::Numbered(Kind::Clock),
            b"order" => Field::Numbered(Kind::Order),
            b"confirmed" => Field::Pairs,
            b"place" | b"writes" => Field::Nothing,
            b"identity" => Field::Unsaid(false),
            b"operation_id" => Field::Operation(false),
            b"position" => Field::Position,
            _ => Field::Plain,
        }
    }

    /// The place of an outbox row among others.
    pub fn order(&mut self, id: u64) {
        self.number(Kind::Order, id);
    }

    fn number(&mut self, kind: Kind, number: u64) {
        self.numbers.push((kind, number, self.text.len()));
        self.text.push(b'#');
    }

    /// The id of an operation: it ends with the number of a write.
    pub fn operation(&mut self, id: &str) {
        let (link, number) = id.rsplit_once('.').unwrap_or(("", id));
        self.text.extend_from_slice(link.as_bytes());
        match number.parse() {
            Ok(number) => {
                self.numbers.push((Kind::Operation, number, self.text.len()));
                self.text.push(b'#');
            }
            Err(_) => self.text.extend_from_slice(number.as_bytes()),
        }
    }

    /// Whether an operation was spoken of.
    pub fn knows(&self, operation: &str) -> bool {
        self.operations.contains(operation)
    }

    /// The whole, with the numbers given anew.
    pub fn into_text(mut self) -> Vec<u8> {
        self.numbers.sort_unstable();
        let mut places: Vec<(usize, u32)> = Vec::with_capacity(self.numbers.len());
        let (mut before, mut rank) = (None, 0);
        for (kind, number, place) in self.numbers {
            rank = match before {
                Some((of, _)) if of != kind => 0,
                Some((_, last)) if last != number => rank + 1,
                _ => rank,
            };
            before = Some((kind, number));
            // Nothing was ever counted: that stays what it is.
            places.push((place, if number == 0 { 0 } else { rank + 1 }));
        }
        places.sort_unstable();
        let mut text = Vec::with_capacity(self.text.len() + places.len() * 2);
        let mut from = 0;
        for (place, rank) in places {
            text.extend_from_slice(&self.text[from..=place]);
            text.extend_from_slice(&rank.to_le_bytes());
            from = place + 1;
        }
        text.extend_from_slice(&self.text[from..]);
        text
    }

    /// A number for the whole.
    pub fn hash(self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        hasher.write(&self.into_text());
        hasher.finish()
    }
}

impl Write for Sketch {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let bytes = piece.as_bytes();
        if bytes == b": " {
            self.field = Self::meaning(&self.text[self.last.clone()]);
            self.second = false;
        }
        if bytes == b" }" {
            self.field = Field::Plain;
        }
        let digits = bytes.first().is_some_and(u8::is_ascii_digit);
        match self.field {
            Field::Numbered(kind) if digits => {
                self.number(kind, piece.parse().map_err(|_| fmt::Error)?);
                if kind != Kind::Order {
                    self.field = Field::Plain;
                }
                return Ok(());
            }
            Field::Pairs if digits => {
                let second = self.second;
                self.second = !second;
                if second {
                    self.number(Kind::Batch, piece.parse().map_err(|_| fmt::Error)?);
                    return Ok(());
                }
            }
            Field::Nothing if digits => {
                self.field = Field::Plain;
                return Ok(());
            }
            Field::Unsaid(begun) => {
                if bytes == b"\"" {
                    self.field = if begun { Field::Plain } else { Field::Unsaid(true) };
                } else if begun {
                    return Ok(());
                }
            }
            Field::Operation(begun) => {
                if bytes == b"\"" {
                    self.field = if begun { Field::Plain } else { Field::Operation(true) };
                } else if begun {
                    self.operations.insert(piece.to_owned());
                    self.operation(piece);
                    return Ok(());
                }
            }
            Field::Position if digits => return Ok(()),
            _ => {}
        }
        let from = self.text.len();
        self.text.extend_from_slice(bytes);
        self.last = from..self.text.len();
        Ok(())
    }
}
