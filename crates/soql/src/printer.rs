//! Tree to text. What it writes parses to the same tree.

use std::fmt::{self, Display, Formatter, Result};

use crate::{ast::*, hours::LAST_N_HOURS};

/// A string literal: the text in quotes, with what has to be escaped escaped.
///
/// ```
/// assert_eq!(tombolo_soql::quote(r"it's 5\6"), r"'it\'s 5\\6'");
/// ```
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    text.chars().for_each(|char| push_escaped(&mut quoted, char));
    quoted.push('\'');
    quoted
}

/// The text as a part of the string of a `LIKE`, without quotes: its `%` and `_` stand for themselves.
///
/// ```
/// let pattern = format!("'{}%'", tombolo_soql::quote_like("100%"));
/// assert_eq!(pattern, r"'100\%%'");
/// ```
pub fn quote_like(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '%' | '_') {
            quoted.push('\\');
        }
        push_escaped(&mut quoted, char);
    }
    quoted
}

fn push_escaped(text: &mut String, char: char) {
    let escape = match char {
        '\'' | '\\' => char,
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        _ => return text.push(char),
    };
    text.push('\\');
    text.push(escape);
}

/// Writes things with `, ` between them.
pub(crate) fn list<T>(
    f: &mut Formatter<'_>,
    items: impl IntoIterator<Item = T>,
    write: impl Fn(&mut Formatter<'_>, T) -> Result,
) -> Result {
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        write(f, item)?;
    }
    Ok(())
}

pub(crate) fn listed<T: Display>(f: &mut Formatter<'_>, items: &[T]) -> Result {
    list(f, items, |f, item| write!(f, "{item}"))
}

/// Writes what is there behind a blank and a keyword.
pub(crate) fn clause<T: Display>(f: &mut Formatter<'_>, keyword: &str, content: Option<&T>) -> Result {
    content.map_or(Ok(()), |content| write!(f, " {keyword} {content}"))
}

pub(crate) fn clause_list<T: Display>(f: &mut Formatter<'_>, keyword: &str, items: &[T]) -> Result {
    if items.is_empty() {
        return Ok(());
    }
    write!(f, " {keyword} ")?;
    listed(f, items)
}

pub(crate) fn settings(f: &mut Formatter<'_>, settings: &[(Name, Value)]) -> Result {
    list(f, settings, |f, (name, value)| write!(f, "{name} = {value}"))
}

impl Display for Name {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(&self.text)
    }
}

impl Display for FieldPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for parent in &self.parents {
            write!(f, "{parent}.")?;
        }
        write!(f, "{}", self.name)
    }
}

impl Display for Select {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "SELECT {} FROM {}", self.selection, self.from)?;
        for alias in &self.aliases {
            write!(f, ", {alias}")?;
        }
        clause(f, "USING", self.using.as_ref())?;
        clause(f, "WHERE", self.condition.as_ref())?;
        for with in &self.with {
            clause(f, "WITH", Some(with))?;
        }
        clause(f, "GROUP BY", self.group_by.as_ref())?;
        clause(f, "HAVING", self.having.as_ref())?;
        clause_list(f, "ORDER BY", &self.order_by)?;
        clause(f, "LIMIT", self.limit.as_ref())?;
        clause(f, "OFFSET", self.offset.as_ref())?;
        clause_list(f, "BIND", &bindings(self))?;
        clause_list(f, "FOR", &self.purposes)?;
        clause_list(f, "UPDATE", &self.update)?;
        if self.all_rows { f.write_str(" ALL ROWS") } else { Ok(()) }
    }
}

impl Display for SubSelect {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("SELECT ")?;
        listed(f, &self.items)?;
        write!(f, " FROM {}", self.from)?;
        for alias in &self.aliases {
            write!(f, ", {alias}")?;
        }
        clause(f, "USING", self.using.as_ref())?;
        clause(f, "WHERE", self.condition.as_ref())?;
        self.with.iter().try_for_each(|with| clause(f, "WITH", Some(with)))
    }
}

impl Display for Selection {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Count(_) => f.write_str("COUNT()"),
            Self::Items(items) => listed(f, items),
        }
    }
}

impl Display for SelectItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.alias {
            Some(alias) => write!(f, "{} {alias}", self.expr),
            None => write!(f, "{}", self.expr),
        }
    }
}

impl Display for SelectExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Expr(expr) => write!(f, "{expr}"),
            Self::Fields { group, .. } => write!(f, "FIELDS({group})"),
            Self::TypeOf(typeof_) => write!(f, "{typeof_}"),
            Self::Children(select) => write!(f, "({select})"),
        }
    }
}

impl Display for TypeOf {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "TYPEOF {}", self.relationship)?;
        for branch in &self.branches {
            write!(f, " WHEN {} THEN ", branch.object)?;
            listed(f, &branch.fields)?;
        }
        clause_list(f, "ELSE", &self.otherwise)?;
        f.write_str(" END")
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Field(path) => write!(f, "{path}"),
            Self::Call(call) => write!(f, "{}({})", call.function, call.argument),
            Self::Distance(distance) => {
                write!(f, "DISTANCE({}, {}, {})", distance.field, distance.place, quote(&distance.unit))
            }
            Self::Formula { text, .. } => write!(f, "FORMULA({})", quote(text)),
        }
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Point(latitude, longitude) => write!(f, "GEOLOCATION({latitude}, {longitude})"),
            Self::Field(path) => write!(f, "{path}"),
            Self::Bind(bind) => write!(f, ":{bind}"),
        }
    }
}

impl Display for Coordinate {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Number(number) => f.write_str(number),
            Self::Bind(bind) => write!(f, ":{bind}"),
        }
    }
}

impl Display for ObjectRef {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.alias {
            Some(alias) => write!(f, "{} {alias}", self.path),
            None => write!(f, "{}", self.path),
        }
    }
}

impl Display for Using {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Scope(scope) => write!(f, "SCOPE {scope}"),
            // What is bound stands elsewhere.
            Self::Lookup { field, .. } => write!(f, "LOOKUP {field}"),
        }
    }
}

/// `BIND` of `USING LOOKUP`, as a clause.
pub(crate) struct Binding<'a>(pub(crate) &'a (Name, Value));

impl Display for Binding<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (name, value) = self.0;
        write!(f, "{name} = {value}")
    }
}

pub(crate) fn bindings(select: &Select) -> Vec<Binding<'_>> {
    match &select.using {
        Some(Using::Lookup { bindings, .. }) => bindings.iter().map(Binding).collect(),
        _ => Vec::new(),
    }
}

impl Display for With {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Mode(name) => write!(f, "{name}"),
            Self::Setting(name, value) => write!(f, "{name} = {value}"),
            Self::Context { name, settings: list } => {
                write!(f, "{name} (")?;
                settings(f, list)?;
                f.write_str(")")
            }
            Self::DataCategory(filters) => categories(f, filters),
        }
    }
}

pub(crate) fn categories(f: &mut Formatter<'_>, filters: &[CategoryFilter]) -> Result {
    f.write_str("DATA CATEGORY ")?;
    for (at, filter) in filters.iter().enumerate() {
        f.write_str(if at > 0 { " AND " } else { "" })?;
        write!(f, "{} {} (", filter.group, filter.operator.as_str())?;
        listed(f, &filter.categories)?;
        f.write_str(")")?;
    }
    Ok(())
}

impl Display for GroupBy {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (open, close) = match self {
            Self::Plain(_) => ("", ""),
            Self::Rollup(_) => ("ROLLUP(", ")"),
            Self::Cube(_) => ("CUBE(", ")"),
        };
        f.write_str(open)?;
        listed(f, self.exprs())?;
        f.write_str(close)
    }
}

impl Display for OrderItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}", self.expr)?;
        match self.direction {
            Some(Direction::Ascending) => f.write_str(" ASC")?,
            Some(Direction::Descending) => f.write_str(" DESC")?,
            None => {}
        }
        match self.nulls {
            Some(Nulls::First) => f.write_str(" NULLS FIRST"),
            Some(Nulls::Last) => f.write_str(" NULLS LAST"),
            None => Ok(()),
        }
    }
}

impl Display for Bound {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}", self.count)
    }
}

impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Bind(bind) => write!(f, ":{bind}"),
        }
    }
}

impl Display for Purpose {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.as_str())
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::And(operands) => joined(f, operands, " AND "),
            Self::Or(operands) => joined(f, operands, " OR "),
            Self::Not(inner) => {
                f.write_str("NOT ")?;
                operand(f, inner)
            }
            Self::Compare(c) => write!(f, "{} {} {}", c.left, c.operator.as_str(), c.value),
            Self::Like(c) => write!(f, "{} LIKE {}", c.left, c.pattern),
            Self::In(c) => write!(f, "{} {} {}", c.left, if c.negated { "NOT IN" } else { "IN" }, c.set),
            Self::Includes(c) => {
                write!(f, "{} {} ", c.left, if c.negated { "EXCLUDES" } else { "INCLUDES" })?;
                if let [Value { literal: Literal::Bind(bind), .. }] = c.values.as_slice() {
                    return write!(f, ":{bind}");
                }
                f.write_str("(")?;
                listed(f, &c.values)?;
                f.write_str(")")
            }
        }
    }
}

fn joined(f: &mut Formatter<'_>, operands: &[Condition], word: &str) -> Result {
    for (at, condition) in operands.iter().enumerate() {
        f.write_str(if at > 0 { word } else { "" })?;
        operand(f, condition)?;
    }
    Ok(())
}

/// Whatever is not a comparison needs parentheses inside another condition.
fn operand(f: &mut Formatter<'_>, condition: &Condition) -> Result {
    if condition.left().is_some() { write!(f, "{condition}") } else { write!(f, "({condition})") }
}

impl Display for Set {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::List(values) => {
                f.write_str("(")?;
                listed(f, values)?;
                f.write_str(")")
            }
            Self::Select(select) => write!(f, "({select})"),
            Self::Bind(value) => write!(f, "{value}"),
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}", self.literal)
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Boolean(value) => f.write_str(if *value { "TRUE" } else { "FALSE" }),
            Self::Number(text) | Self::Date(text) | Self::DateTime(text) | Self::Time(text) => f.write_str(text),
            Self::String(text) => f.write_str(&quote(text)),
            Self::Pattern(parts) => {
                f.write_str("'")?;
                parts.iter().try_for_each(|part| write!(f, "{part}"))?;
                f.write_str("'")
            }
            Self::Relative(literal) => write!(f, "{literal}"),
            Self::LastHours(Count::Number(hours)) => write!(f, "{LAST_N_HOURS}:{hours}"),
            Self::LastHours(Count::Bind(bind)) => write!(f, "{LAST_N_HOURS}:{bind}"),
            Self::Currency { code, amount } => write!(f, "{code}{amount}"),
            Self::Bind(bind) => write!(f, ":{bind}"),
        }
    }
}

impl Display for LikePart {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Text(text) => f.write_str(&quote_like(text)),
            Self::Any => f.write_str("%"),
            Self::One => f.write_str("_"),
        }
    }
}

impl Display for DateLiteral {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        match &self.count {
            Some(Count::Number(number)) => write!(f, ":{number}"),
            Some(Count::Bind(bind)) => write!(f, ":{bind}"),
            None => Ok(()),
        }
    }
}
