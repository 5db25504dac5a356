//! The facts about a field.

use crate::FieldType;

/// Declares a struct of yes/no facts together with the letters that stand for them in the compact form.
macro_rules! flags {
    ($(#[$meta:meta])* $name:ident { $($letter:literal $field:ident,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name {
            $(#[doc = concat!("`", stringify!($field), "` of describe.")] pub $field: bool,)*
        }

        impl $name {
            /// The facts that hold, asked one by one by the name of their field here.
            pub fn from_names(holds: impl Fn(&'static str) -> bool) -> Self {
                Self { $($field: holds(stringify!($field)),)* }
            }

            /// The letters of the facts that hold.
            pub fn letters(&self) -> String {
                let mut letters = String::new();
                $(if self.$field { letters.push($letter); })*
                letters
            }

            /// The facts whose letters stand in the text; `None` for a letter that means nothing.
            pub fn from_letters(letters: &str) -> Option<Self> {
                let mut flags = Self::default();
                for letter in letters.chars() {
                    match letter {
                        $($letter => flags.$field = true,)*
                        _ => return None,
                    }
                }
                Some(flags)
            }
        }
    };
}
pub(crate) use flags;

flags! {
    /// The yes/no facts about a field.
    FieldFlags {
        'n' nillable,
        'c' createable,
        'u' updateable,
        'd' defaulted_on_create,
        'f' filterable,
        's' sortable,
        'g' groupable,
        'a' aggregatable,
        'p' permissionable,
        'l' id_lookup,
        'N' name_field,
        'A' auto_number,
        'C' calculated,
        'R' restricted_picklist,
        'D' dependent_picklist,
        'P' polymorphic_foreign_key,
        'O' name_pointing,
        'H' html_formatted,
        'Q' query_by_distance,
        'E' encrypted,
        'S' search_prefilterable,
        'x' cascade_delete,
        'r' restricted_delete,
        'U' unique,
        'X' external_id,
        'K' case_sensitive,
        'L' display_location_in_decimal,
        'w' write_requires_master_read,
        'm' custom,
        'h' deprecated_and_hidden,
        'z' formula_treat_null_number_as_zero,
    }
}

/// A value of a picklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PicklistValue {
    /// What is stored.
    pub value: String,
    /// What people see.
    pub label: String,
    /// Whether it may be chosen.
    pub active: bool,
    /// Whether a new record gets it.
    pub default_value: bool,
    /// Base64 of the bit set of controlling values that allow it.
    pub valid_for: Option<String>,
}

/// What describe shows as a field's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultValue {
    /// A checkbox.
    Boolean(bool),
    /// Anything else.
    Text(String),
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// API name.
    pub name: String,
    /// What people see.
    pub label: String,
    /// Its type.
    pub field_type: FieldType,
    /// Characters, for text and Ids.
    pub length: u32,
    /// Digits in all, for decimals.
    pub precision: u32,
    /// Digits behind the point.
    pub scale: u32,
    /// Digits of whole numbers.
    pub digits: u32,
    /// The yes/no facts.
    pub flags: FieldFlags,
    /// The objects a reference may point at.
    pub reference_to: Vec<String>,
    /// The name of the parent in a path: `Account` for `AccountId`.
    pub relationship_name: Option<String>,
    /// 0 and 1 for the first and second master of a detail.
    pub relationship_order: Option<u8>,
    /// The values of a picklist.
    pub picklist_values: Vec<PicklistValue>,
    /// A constant default.
    pub default_value: Option<DefaultValue>,
    /// A default computed on create.
    pub default_value_formula: Option<String>,
    /// The formula of a calculated field.
    pub calculated_formula: Option<String>,
    /// The compound field it is a part of.
    pub compound_field_name: Option<String>,
    /// The field that controls a dependent picklist.
    pub controller_name: Option<String>,
    /// A finer kind: `plaintextarea`, `richtextarea`, `personname`, …
    pub extra_type_info: Option<String>,
    /// How an auto number is written: `A-{0000}`.
    pub display_format: Option<String>,
    /// Help that the field's author wrote.
    pub inline_help_text: Option<String>,
}

impl Field {
    /// A field of this name and type about which nothing else is known.
    pub fn new(name: &str, field_type: FieldType) -> Self {
        Self {
            name: name.to_owned(),
            label: name.to_owned(),
            field_type,
            length: 0,
            precision: 0,
            scale: 0,
            digits: 0,
            flags: FieldFlags::default(),
            reference_to: Vec::new(),
            relationship_name: None,
            relationship_order: None,
            picklist_values: Vec::new(),
            default_value: None,
            default_value_formula: None,
            calculated_formula: None,
            compound_field_name: None,
            controller_name: None,
            extra_type_info: None,
            display_format: None,
            inline_help_text: None,
        }
    }

    /// Bytes that describe allows for the field: three a character, 18 for an Id.
    pub fn byte_length(&self) -> u32 {
        if self.field_type.is_id() { 18 } else { self.length * 3 }
    }

    /// Whether a value has to be given when a record is made.
    pub fn is_required(&self) -> bool {
        self.flags.createable && !self.flags.nillable && !self.flags.defaulted_on_create
    }
}
