//! A history from a seed: which classes of trouble, which edits, when.

use fastrand::Rng;
use tombolo_engine::sync::{Side, Stored, Style};

use crate::{
    dice::Dice,
    history::{Act, Before, Boundary, Deed, Fault, FaultKind, Habits, History, Soul},
    moment::{MILLI, MINUTE, Micros, SECOND},
    plan::{ACCOUNT, CONTACT, Choices, LEAD},
};

/// The history of a seed. Every eighth has no faults.
pub fn history(seed: u64) -> History {
    let dice = Dice::new(seed);
    let mut rng = dice.fixed("profile", 0);
    let faultless = seed.is_multiple_of(8);
    let choices = Choices::drawn(&mut rng);
    let mut habits = habits(&mut rng, faultless);
    let mut calls = dice.fixed("calls", 0);
    // Asking for changes again and again would use up any number of calls.
    if choices.style == Style::Tagged && calls.u8(..10) == 0 {
        habits.calls = calls.u64(60..240);
    }
    let mut drawing = Drawing { rng: dice.fixed("history", 0), souls: Vec::new(), value: 0 };
    let before = drawing.before(choices.matched);
    let span = Micros::from(drawing.rng.u32(20..90)) * SECOND;
    let mut acts = drawing.acts(span, &choices);
    acts.sort_by_key(|act| act.at);
    let mut faults = if faultless { Vec::new() } else { drawn_faults(&mut dice.fixed("faults", 0), span, &choices) };
    faults.sort_by_key(|fault| fault.at);
    History { seed, choices, habits, before, acts, faults }
}

fn habits(rng: &mut Rng, faultless: bool) -> Habits {
    let mut skew = || if rng.bool() { 0 } else { Micros::from(rng.i32(-240..240)) * SECOND + 137 * MILLI };
    let skew = [skew(), skew()];
    let rewriting = !faultless && rng.u8(..4) == 0;
    Habits {
        skew,
        uncertain: Micros::from(rng.u32(0..200)) * MILLI,
        org_rewrites: rewriting,
        database_rewrites: rewriting && rng.bool(),
        page: *rng.choice(&[1, 3, 50]).unwrap_or(&50),
        calls: 100_000,
        event_delay: *rng.choice(&[50 * MILLI, 500 * MILLI, 3 * SECOND]).unwrap_or(&SECOND),
        merged_events: rng.bool(),
        outbox_cap: if !faultless && rng.u8(..10) == 0 { 4 } else { 1_000_000 },
    }
}

struct Drawing {
    rng: Rng,
    /// The things there are: the mapping of each.
    souls: Vec<usize>,
    value: u64,
}

impl Drawing {
    fn before(&mut self, matched: bool) -> Vec<Before> {
        let count = self.rng.usize(1..7);
        (0..count).map(|_| self.thing_before(matched)).collect()
    }

    fn thing_before(&mut self, matched: bool) -> Before {
        let mapping = if self.rng.u8(..4) == 0 { ACCOUNT } else { CONTACT };
        let parent = self.parent(mapping);
        let soul = self.soul(mapping);
        let email = (1, Stored::Text(format!("s{soul}@example.com")));
        let sides = match self.rng.u8(..4) {
            0 if mapping == CONTACT && matched => [true, true],
            1 | 2 => [true, false],
            _ => [false, true],
        };
        let left = self.values(mapping);
        let mut right = if self.rng.bool() { left.clone() } else { self.values(mapping) };
        let mut left = left;
        if mapping == CONTACT {
            for values in [&mut left, &mut right] {
                values.retain(|(pair, _)| *pair != 1);
                values.push(email.clone());
            }
        }
        Before { soul, mapping, sides, values: [left, right], parent }
    }

    fn soul(&mut self, mapping: usize) -> Soul {
        self.souls.push(mapping);
        self.souls.len() - 1
    }

    fn any(&mut self, mapping: usize) -> Option<Soul> {
        let of_it: Vec<Soul> = (0..self.souls.len()).filter(|soul| self.souls[*soul] == mapping).collect();
        self.rng.choice(of_it)
    }

    fn parent(&mut self, mapping: usize) -> Option<Soul> {
        if mapping == CONTACT && self.rng.bool() { self.any(ACCOUNT) } else { None }
    }

    fn values(&mut self, mapping: usize) -> Vec<(usize, Stored)> {
        let pairs = [3, 5, 2][mapping];
        let mut values = vec![(0, self.text())];
        for pair in 1..pairs {
            if self.rng.bool() {
                values.push((pair, self.value(mapping, pair)));
            }
        }
        values
    }

    fn value(&mut self, mapping: usize, pair: usize) -> Stored {
        self.value += 1;
        match (mapping, pair) {
            (ACCOUNT, 2) => Stored::Int(self.rng.i64(0..1000)),
            (CONTACT, 3) => Stored::Double(self.rng.i32(0..100_000) as f64 / 100.0),
            (CONTACT, 4) => Stored::Boolean(self.rng.bool()),
            (_, 0) => self.text(),
            (CONTACT, 1) => Stored::Text(format!("v{}@example.com", self.value)),
            _ if self.rng.u8(..8) == 0 => Stored::Null,
            _ => self.text(),
        }
    }

    fn text(&mut self) -> Stored {
        self.value += 1;
        let value = self.value;
        Stored::Text(match self.rng.u8(..12) {
            0 => format!(" Mixed{value} "),
            1 => format!("bad{value}"),
            _ => format!("Text{value}"),
        })
    }

    fn acts(&mut self, span: Micros, choices: &Choices) -> Vec<Act> {
        let clusters: Vec<Micros> = (0..self.rng.usize(2..8)).map(|_| self.rng.i64(0..span)).collect();
        let count = self.rng.usize(3..26);
        let mut acts = Vec::new();
        for _ in 0..count {
            let near = self.rng.choice(&clusters).copied().unwrap_or(0);
            let spread = *self.rng.choice(&[200 * MILLI, 2 * SECOND, 8 * SECOND]).unwrap_or(&SECOND);
            let at = near + self.rng.i64(0..spread);
            let side = if self.rng.bool() { Side::Left } else { Side::Right };
            let deed = self.deed(side);
            acts.extend(deed.map(|deed| Act { at, side, deed }));
        }
        if self.rng.u8(..12) == 0 {
            let at = self.rng.i64(0..span);
            acts.push(Act { at, side: Side::Left, deed: Deed::Pause(true) });
            acts.push(Act { at: at + 7 * SECOND, side: Side::Left, deed: Deed::Pause(false) });
        }
        if choices.style == Style::Conditional {
            acts.retain(|act| !matches!(act.deed, Deed::Purge(_)));
        }
        acts
    }

    fn deed(&mut self, side: Side) -> Option<Deed> {
        let mapping = *self.rng.choice(&[ACCOUNT, CONTACT, CONTACT, CONTACT, LEAD]).unwrap_or(&CONTACT);
        Some(match self.rng.u8(..40) {
            0..=4 => {
                let (parent, values) = (self.parent(mapping), self.values(mapping));
                Deed::Create { soul: self.soul(mapping), mapping, values, parent }
            }
            5..=8 => Deed::Delete(self.any(mapping)?),
            9 | 10 if side == Side::Left => Deed::Undelete(self.any(mapping)?),
            11 if side == Side::Left => Deed::Purge(self.any(mapping)?),
            12 if side == Side::Left => Deed::Merge(self.any(mapping)?, self.any(mapping)?),
            13 if side == Side::Left => {
                let lead = self.any(LEAD)?;
                Deed::Convert(lead, self.soul(ACCOUNT), self.soul(CONTACT))
            }
            14 if side == Side::Right && self.rng.u8(..4) == 0 => Deed::Truncate(mapping),
            15 => Deed::All { mapping, value: (1, self.text()) },
            16 if self.rng.u8(..3) == 0 => Deed::Scrub,
            17 if self.rng.u8(..3) == 0 => Deed::Retry,
            18 | 19 => {
                let soul = self.any(CONTACT)?;
                Deed::Move { soul, parent: self.any(ACCOUNT) }
            }
            _ => {
                let soul = self.any(mapping)?;
                let pair = self.rng.usize(0..[3, 5, 2][mapping]);
                let mut values = vec![(pair, self.value(mapping, pair))];
                if self.rng.u8(..3) == 0 && pair != 0 {
                    values.push((0, self.text()));
                }
                Deed::Update { soul, values }
            }
        })
    }
}

/// The classes of trouble; a history draws some of them.
fn drawn_faults(rng: &mut Rng, span: Micros, choices: &Choices) -> Vec<Fault> {
    let classes: Vec<u8> = (0..19).filter(|_| rng.u8(..4) == 0).collect();
    let mut faults = Vec::new();
    for class in classes {
        for _ in 0..rng.u8(1..4) {
            faults.push(Fault { at: rng.i64(0..span), kind: fault(rng, class) });
        }
    }
    if choices.style == Style::Conditional {
        faults.retain(|fault| !matches!(fault.kind, FaultKind::Gap(_) | FaultKind::Overflow));
    }
    faults
}

fn fault(rng: &mut Rng, class: u8) -> FaultKind {
    let side = if rng.bool() { Side::Left } else { Side::Right };
    let count = rng.u32(1..4);
    let seconds = |rng: &mut Rng, most: u32| Micros::from(rng.u32(1..most)) * SECOND + rng.i64(0..SECOND);
    match class {
        0 => FaultKind::DelayEvents(seconds(rng, 9)),
        1 => FaultKind::DuplicateEvents(count),
        2 => FaultKind::Gap(count),
        3 => FaultKind::Overflow,
        4 => FaultKind::CutStreams,
        5 => FaultKind::ExpireReplay,
        6 => FaultKind::LostAnswer(side, count),
        7 => FaultKind::LostRequest(side, count),
        8 if side == Side::Left => FaultKind::LateLanding(side, seconds(rng, 300)),
        8 => FaultKind::LateLanding(side, seconds(rng, 20)),
        9 => FaultKind::SlowAnswer(side, seconds(rng, 40)),
        10 => FaultKind::RowLock(side, count),
        11 => FaultKind::Unavailable(side, seconds(rng, 30)),
        12 => FaultKind::SlowRead(side, seconds(rng, 8)),
        13 | 14 => FaultKind::Crash(rng.choice(Boundary::ALL).unwrap_or(Boundary::Now)),
        15 => FaultKind::Pause(11 * SECOND + rng.i64(0..2 * MINUTE)),
        16 => FaultKind::SlowTransaction(count, seconds(rng, 5)),
        17 => FaultKind::FieldRemoved(seconds(rng, 30)),
        _ if rng.bool() => FaultKind::OutboxFull(seconds(rng, 10)),
        _ => FaultKind::OutboxAgain,
    }
}
