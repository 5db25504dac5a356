//! What a check has to know of an org.

macro_rules! kinds {
    ($($variant:ident = $($name:literal)|+,)*) => {
        /// The type of a field, as far as SOQL tells types apart.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FieldKind {
            $(#[doc = concat!($("`", $name, "` ",)+ "of describe.")] $variant,)*
        }

        impl FieldKind {
            /// The kind that goes with the name of a type in describe; unknown types are [`FieldKind::Other`].
            pub fn from_name(name: &str) -> Self {
                match name { $($($name)|+ => Self::$variant,)* _ => Self::Other }
            }
        }
    };
}

kinds! {
    Id = "id",
    Reference = "reference",
    Boolean = "boolean",
    Text = "string" | "phone" | "email" | "url" | "combobox" | "datacategorygroupreference",
    LongText = "textarea",
    Picklist = "picklist",
    MultiPicklist = "multipicklist",
    Encrypted = "encryptedstring",
    Integer = "int" | "long",
    Double = "double" | "percent",
    Currency = "currency",
    Date = "date",
    DateTime = "datetime",
    Time = "time",
    Base64 = "base64",
    Address = "address",
    Location = "location",
    Other = "anyType" | "complexvalue" | "json",
}

impl FieldKind {
    pub(super) const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::LongText | Self::Picklist | Self::MultiPicklist | Self::Encrypted)
    }

    pub(super) const fn is_id(self) -> bool {
        matches!(self, Self::Id | Self::Reference)
    }

    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Double | Self::Currency)
    }

    pub(super) const fn is_day(self) -> bool {
        matches!(self, Self::Date | Self::DateTime)
    }

    /// How messages name it.
    pub(super) const fn described(self) -> &'static str {
        match self {
            Self::Id | Self::Reference => "ID",
            Self::Boolean => "boolean",
            Self::Integer => "int",
            Self::Double | Self::Currency => "double",
            Self::Date => "date",
            Self::DateTime => "dateTime",
            Self::Time => "time",
            _ => "string",
        }
    }
}

/// An object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectFacts<'a> {
    /// Its name, as the schema writes it.
    pub name: &'a str,
    /// Whether it can be queried.
    pub queryable: bool,
}

/// A field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldFacts<'a> {
    /// Its name, as the schema writes it.
    pub name: &'a str,
    /// Its type.
    pub kind: FieldKind,
    /// Whether it may stand in `WHERE`.
    pub filterable: bool,
    /// Whether it may stand in `GROUP BY`.
    pub groupable: bool,
    /// Whether it may stand in `ORDER BY`.
    pub sortable: bool,
    /// Whether aggregate functions apply to it, as far as its type lets them.
    pub aggregatable: bool,
    /// Whether it is a custom field.
    pub custom: bool,
    /// The objects that it may refer to; more than one make the relationship polymorphic.
    pub targets: &'a [String],
    /// The name of the relationship to its parent.
    pub relationship: Option<&'a str>,
}

/// What a check asks of a schema. Names come in any case and are found in any case.
///
/// A saved describe is one, and so is the registry of an org. [`super::MemorySchema`] is one for tests.
pub trait Schema {
    /// The object with this name. Parents that may be of several objects are seen as the object `Name`, where the
    /// schema has it.
    fn object(&self, name: &str) -> Option<ObjectFacts<'_>>;

    /// The fields of an object.
    fn fields(&self, object: &str) -> Vec<FieldFacts<'_>>;

    /// The object behind one of an object's relationships to children.
    fn child(&self, object: &str, relationship: &str) -> Option<&str>;

    /// The field of an object with this name.
    fn field(&self, object: &str, name: &str) -> Option<FieldFacts<'_>> {
        self.fields(object).into_iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The field of an object by the name of its relationship to a parent.
    fn parent(&self, object: &str, relationship: &str) -> Option<FieldFacts<'_>> {
        let is_it = |field: &FieldFacts<'_>| field.relationship.is_some_and(|r| r.eq_ignore_ascii_case(relationship));
        self.fields(object).into_iter().find(is_it)
    }
}
