//! Tree to text for people: a clause a line, lists wrapped, child queries and long conditions indented.
//! What it writes parses to the same tree. Comments are not in the tree, so they are lost.

use std::fmt::Display;

use crate::{
    ast::{Condition, Membership, Select, SelectExpr, SelectItem, Selection, Set, SubSelect, TypeOf},
    printer::bindings,
};

/// How far each level is indented.
const STEP: usize = 2;

/// Lays out a statement in lines of this many characters, where names and literals let it.
///
/// ```
/// use tombolo_soql::{Options, parse, pretty};
///
/// let select = parse("select Id, Name, (select Id from Contacts) from Account where Name like 'A%' limit 5", Options::default())?;
/// assert_eq!(
///     pretty(&select, 40),
///     "SELECT Id, Name,\n  (SELECT Id FROM Contacts)\nFROM Account\nWHERE Name LIKE 'A%'\nLIMIT 5"
/// );
/// # Ok::<(), tombolo_soql::ParseError>(())
/// ```
pub fn pretty(select: &Select, width: usize) -> String {
    let mut page = Page::new(width);
    page.select(select);
    page.text
}

/// What has been written, and where the next word goes.
pub(crate) struct Page {
    pub(crate) text: String,
    width: usize,
    indent: usize,
    column: usize,
}

impl Page {
    pub(crate) fn new(width: usize) -> Self {
        Self { text: String::new(), width, indent: 0, column: 0 }
    }

    pub(crate) fn write(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    pub(crate) fn line(&mut self) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', self.indent));
        self.column = self.indent;
    }

    pub(crate) fn fits(&self, text: &str) -> bool {
        self.column + text.chars().count() <= self.width
    }

    pub(crate) fn indented(&mut self, inner: impl FnOnce(&mut Self)) {
        self.indent += STEP;
        inner(self);
        self.indent -= STEP;
    }

    /// Lines of their own between parentheses.
    fn block(&mut self, inner: impl FnOnce(&mut Self)) {
        self.write("(");
        self.indented(|page| {
            page.line();
            inner(page);
        });
        self.line();
        self.write(")");
    }

    /// A clause on a line of its own; nothing where it is empty.
    pub(crate) fn clause<T: Display>(&mut self, keyword: &str, items: &[T]) {
        if items.is_empty() {
            return;
        }
        self.line();
        self.write(keyword);
        self.write(" ");
        self.list(items, |page, item| page.write(&item.to_string()));
    }

    /// Things behind each other, as many in a line as fit; `broken` writes one that fits no line.
    pub(crate) fn list<T: Display>(&mut self, items: &[T], broken: impl Fn(&mut Self, &T)) {
        self.indented(|page| {
            for (at, item) in items.iter().enumerate() {
                let flat = item.to_string();
                let comma = if at + 1 < items.len() { "," } else { "" };
                if at > 0 && page.fits(&format!(" {flat}{comma}")) {
                    page.write(" ");
                } else if at > 0 {
                    page.line();
                }
                if page.fits(&format!("{flat}{comma}")) {
                    page.write(&flat);
                } else {
                    broken(page, item);
                }
                page.write(comma);
            }
        });
    }

    fn select(&mut self, select: &Select) {
        self.write("SELECT ");
        match &select.selection {
            Selection::Count(_) => self.write("COUNT()"),
            Selection::Items(items) => self.list(items, Self::item),
        }
        self.line();
        self.write(&format!("FROM {}", select.from));
        for alias in &select.aliases {
            self.write(&format!(", {alias}"));
        }
        self.clause("USING", select.using.as_slice());
        self.condition_clause("WHERE", select.condition.as_ref());
        select.with.iter().for_each(|with| self.clause("WITH", std::slice::from_ref(with)));
        self.clause("GROUP BY", select.group_by.as_slice());
        self.condition_clause("HAVING", select.having.as_ref());
        self.clause("ORDER BY", &select.order_by);
        self.clause("LIMIT", select.limit.as_slice());
        self.clause("OFFSET", select.offset.as_slice());
        self.clause("BIND", &bindings(select));
        self.clause("FOR", &select.purposes);
        self.clause("UPDATE", &select.update);
        if select.all_rows {
            self.line();
            self.write("ALL ROWS");
        }
    }

    fn sub_select(&mut self, select: &SubSelect) {
        self.write("SELECT ");
        self.list(&select.items, |page, item| page.write(&item.to_string()));
        self.line();
        self.write(&format!("FROM {}", select.from));
        for alias in &select.aliases {
            self.write(&format!(", {alias}"));
        }
        self.clause("USING", select.using.as_slice());
        self.condition_clause("WHERE", select.condition.as_ref());
        select.with.iter().for_each(|with| self.clause("WITH", std::slice::from_ref(with)));
    }

    fn item(&mut self, item: &SelectItem) {
        match &item.expr {
            SelectExpr::Children(select) => self.block(|page| page.select(select)),
            SelectExpr::TypeOf(typeof_) => self.type_of(typeof_),
            other => self.write(&other.to_string()),
        }
        if let Some(alias) = &item.alias {
            self.write(&format!(" {alias}"));
        }
    }

    fn type_of(&mut self, typeof_: &TypeOf) {
        self.write(&format!("TYPEOF {}", typeof_.relationship));
        self.indented(|page| {
            for branch in &typeof_.branches {
                page.clause(&format!("WHEN {} THEN", branch.object), &branch.fields);
            }
            page.clause("ELSE", &typeof_.otherwise);
        });
        self.line();
        self.write("END");
    }

    pub(crate) fn condition_clause(&mut self, keyword: &str, condition: Option<&Condition>) {
        let Some(condition) = condition else { return };
        self.line();
        self.write(keyword);
        self.write(" ");
        self.indented(|page| page.condition(condition));
    }

    fn condition(&mut self, condition: &Condition) {
        let flat = condition.to_string();
        if self.fits(&flat) {
            return self.write(&flat);
        }
        match condition {
            Condition::And(operands) => self.joined(operands, "AND "),
            Condition::Or(operands) => self.joined(operands, "OR "),
            Condition::Not(inner) => {
                self.write("NOT ");
                self.operand(inner);
            }
            Condition::In(membership) => self.membership(membership),
            _ => self.write(&flat),
        }
    }

    fn joined(&mut self, operands: &[Condition], word: &str) {
        for (at, operand) in operands.iter().enumerate() {
            if at > 0 {
                self.line();
                self.write(word);
            }
            self.operand(operand);
        }
    }

    fn operand(&mut self, condition: &Condition) {
        if condition.left().is_some() {
            return self.condition(condition);
        }
        let flat = format!("({condition})");
        if self.fits(&flat) { self.write(&flat) } else { self.block(|page| page.condition(condition)) }
    }

    fn membership(&mut self, membership: &Membership) {
        self.write(&format!("{} {} ", membership.left, if membership.negated { "NOT IN" } else { "IN" }));
        match &membership.set {
            Set::List(values) => {
                self.write("(");
                self.list(values, |page, value| page.write(&value.to_string()));
                self.write(")");
            }
            Set::Select(select) => self.block(|page| page.sub_select(select)),
            Set::Bind(value) => self.write(&value.to_string()),
        }
    }
}
