//! Texts made from other texts, for where there is no libFuzzer: no coverage guides it, so its changes are larger.

use fastrand::Rng;

/// What is put in: the words of `soql.dict`, which libFuzzer uses, too.
const WORDS: &str = include_str!("../soql.dict");

/// Longer texts are cut: it is many texts that find faults.
const LONGEST: usize = 4_000;

/// Changes texts; the same seed makes the same changes.
pub struct Mutation {
    random: Rng,
    texts: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

impl Mutation {
    /// One that starts from these texts.
    pub fn new(texts: &[String], seed: u64) -> Self {
        let quoted = WORDS.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
        let words = quoted.map(|word| word.replace("\\\"", "\"").replace("\\\\", "\\").into_bytes()).collect();
        let texts = texts.iter().map(|text| text.clone().into_bytes()).collect();
        Self { random: Rng::with_seed(seed), texts, words }
    }

    /// The next text.
    pub fn text(&mut self) -> Vec<u8> {
        let mut text = self.any(|mutation| &mutation.texts);
        for _ in 0..1 + self.random.usize(..4) {
            self.change(&mut text);
        }
        text.truncate(LONGEST);
        text
    }

    fn any(&mut self, from: impl Fn(&Self) -> &Vec<Vec<u8>>) -> Vec<u8> {
        let at = self.random.usize(..from(self).len().max(1));
        from(self).get(at).cloned().unwrap_or_default()
    }

    fn change(&mut self, text: &mut Vec<u8>) {
        let from = self.random.usize(..=text.len());
        let to = (from + self.random.usize(..12)).min(text.len());
        match self.random.u8(..6) {
            0 => drop(text.drain(from..to)),
            1 => {
                let word = self.any(|mutation| &mutation.words);
                text.splice(from..from, word);
            }
            2 => {
                let word = self.any(|mutation| &mutation.words);
                text.splice(from..to, word);
            }
            3 => {
                let copy = text[from..to].to_vec();
                let at = self.random.usize(..=text.len());
                text.splice(at..at, copy);
            }
            4 => {
                let other = self.any(|mutation| &mutation.texts);
                text.truncate(from);
                text.extend_from_slice(&other[self.random.usize(..=other.len())..]);
            }
            _ => {
                if let Some(byte) = text.get_mut(from) {
                    *byte = self.random.u8(b' '..=b'~');
                }
            }
        }
    }
}
