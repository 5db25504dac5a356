//! The statement and its clauses.

use super::{Condition, FieldPath, Name, Span, Value};

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// What is selected.
    pub selection: Selection,
    /// `FROM`: an object; in a child query a relationship.
    pub from: ObjectRef,
    /// Further aliases: `FROM Contact c, c.Account a`
    pub aliases: Vec<ObjectRef>,
    /// `USING`
    pub using: Option<Using>,
    /// `WHERE`
    pub condition: Option<Condition>,
    /// `WITH`, which may be there more than once.
    pub with: Vec<With>,
    /// `GROUP BY`
    pub group_by: Option<GroupBy>,
    /// `HAVING`
    pub having: Option<Condition>,
    /// `ORDER BY`
    pub order_by: Vec<OrderItem>,
    /// `LIMIT`
    pub limit: Option<Bound>,
    /// `OFFSET`
    pub offset: Option<Bound>,
    /// `FOR`
    pub purposes: Vec<Purpose>,
    /// `UPDATE`: `TRACKING`, `VIEWSTAT`. The grammar takes any name.
    pub update: Vec<Name>,
    /// `ALL ROWS`, in Apex.
    pub all_rows: bool,
    /// Where it stands; of a child query, without its parentheses.
    pub span: Span,
}

/// What is selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// `COUNT()`, which stands alone.
    Count(Span),
    /// At least one.
    Items(Vec<SelectItem>),
}

/// Something selected, and its alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectItem {
    /// What.
    pub expr: SelectExpr,
    /// Under which name.
    pub alias: Option<Name>,
}

/// Something selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectExpr {
    /// A field or a function.
    Expr(Expr),
    /// `FIELDS(ALL)`. The grammar takes any path.
    Fields {
        /// What is in the parentheses.
        group: FieldPath,
        /// Where it stands.
        span: Span,
    },
    /// `TYPEOF … END`
    TypeOf(TypeOf),
    /// A child query.
    Children(Box<Select>),
}

/// A field, or something computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// A field, perhaps of a parent.
    Field(FieldPath),
    /// A function of one thing: `MAX(Amount)`. The grammar takes any name.
    Call(Call),
    /// `DISTANCE(Location__c, GEOLOCATION(37.7, -122.4), 'mi')`
    Distance(Box<Distance>),
    /// `FORMULA('a - b')`, in `WHERE` only.
    Formula {
        /// The formula.
        text: String,
        /// Where it stands.
        span: Span,
    },
}

/// A function and what it is applied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The function.
    pub function: Name,
    /// Its argument.
    pub argument: Box<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// The distance of a field from a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distance {
    /// The field.
    pub field: FieldPath,
    /// The place.
    pub place: Place,
    /// `mi` or `km`. The grammar takes any string.
    pub unit: String,
    /// Where it stands.
    pub span: Span,
}

/// A place on earth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `GEOLOCATION(latitude, longitude)`
    Point(Coordinate, Coordinate),
    /// Another field.
    Field(FieldPath),
    /// A variable of Apex.
    Bind(String),
}

/// A latitude or longitude.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coordinate {
    /// A number: a minus sign perhaps, digits, a point perhaps.
    Number(String),
    /// A variable of Apex.
    Bind(String),
}

/// `TYPEOF What WHEN Account THEN Phone ELSE Name END`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeOf {
    /// The relationship.
    pub relationship: FieldPath,
    /// At least one.
    pub branches: Vec<TypeOfBranch>,
    /// What is selected for any other object; empty without `ELSE`.
    pub otherwise: Vec<FieldPath>,
    /// Where it stands.
    pub span: Span,
}

/// What is selected for an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeOfBranch {
    /// The object.
    pub object: Name,
    /// At least one.
    pub fields: Vec<FieldPath>,
}

/// An object or relationship, and its alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// The object; `Account.Contacts` and `c.Account` are possible, too.
    pub path: FieldPath,
    /// Its alias.
    pub alias: Option<Name>,
}

/// `USING`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Using {
    /// `USING SCOPE mine`. The grammar takes any name.
    Scope(Name),
    /// `USING LOOKUP Object.Field … BIND Other = 'value'`: the bindings stand behind `OFFSET`.
    Lookup {
        /// The field whose lookup filter applies.
        field: FieldPath,
        /// Values of the record that looks.
        bindings: Vec<(Name, Value)>,
    },
}

/// `WITH`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum With {
    /// `SECURITY_ENFORCED`, `USER_MODE`, `SYSTEM_MODE`. The grammar takes any name.
    Mode(Name),
    /// `RecordVisibilityContext (maxDescriptorPerRecord = 100)`
    Context {
        /// The name.
        name: Name,
        /// At least one.
        settings: Vec<(Name, Value)>,
    },
    /// `UserId = '005…'`
    Setting(Name, Value),
    /// `DATA CATEGORY …`; at least one.
    DataCategory(Vec<CategoryFilter>),
}

/// `Geography__c AT (usa__c, uk__c)`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryFilter {
    /// The group.
    pub group: Name,
    /// Which of its categories, seen from those named.
    pub operator: CategoryOperator,
    /// At least one.
    pub categories: Vec<Name>,
}

/// Which categories, seen from those named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CategoryOperator {
    /// `AT`
    At,
    /// `ABOVE`
    Above,
    /// `BELOW`
    Below,
    /// `ABOVE_OR_BELOW`
    AboveOrBelow,
}

impl CategoryOperator {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::At, Self::Above, Self::Below, Self::AboveOrBelow];

    /// How it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::At => "AT",
            Self::Above => "ABOVE",
            Self::Below => "BELOW",
            Self::AboveOrBelow => "ABOVE_OR_BELOW",
        }
    }
}

/// `GROUP BY`; at least one expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// By these.
    Plain(Vec<Expr>),
    /// By these, with subtotals.
    Rollup(Vec<Expr>),
    /// By these, with every combination of subtotals.
    Cube(Vec<Expr>),
}

impl GroupBy {
    /// What is grouped by.
    pub fn exprs(&self) -> &[Expr] {
        match self {
            Self::Plain(exprs) | Self::Rollup(exprs) | Self::Cube(exprs) => exprs,
        }
    }
}

/// One of the things to order by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderItem {
    /// What.
    pub expr: Expr,
    /// Up or down, if said.
    pub direction: Option<Direction>,
    /// Where nulls go, if said.
    pub nulls: Option<Nulls>,
}

/// Up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `ASC`
    Ascending,
    /// `DESC`
    Descending,
}

/// Where nulls go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// `NULLS FIRST`
    First,
    /// `NULLS LAST`
    Last,
}

/// The number of `LIMIT` and `OFFSET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The number. The grammar takes negative ones.
    pub count: Count,
    /// Where it stands.
    pub span: Span,
}

/// A whole number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// This one.
    Number(i64),
    /// A variable of Apex.
    Bind(String),
}

/// `FOR`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// `VIEW`
    View,
    /// `REFERENCE`
    Reference,
    /// `UPDATE`, in Apex.
    Update,
}

impl Purpose {
    /// How it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "VIEW",
            Self::Reference => "REFERENCE",
            Self::Update => "UPDATE",
        }
    }
}

impl Expr {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Field(path) => path.span(),
            Self::Call(call) => call.span,
            Self::Distance(distance) => distance.span,
            Self::Formula { span, .. } => *span,
        }
    }
}

impl SelectExpr {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Expr(expr) => expr.span(),
            Self::Fields { span, .. } => *span,
            Self::TypeOf(typeof_) => typeof_.span,
            Self::Children(select) => select.span,
        }
    }
}
