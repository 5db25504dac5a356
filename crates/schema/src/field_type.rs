//! The types of fields, as describe names them.

macro_rules! field_types {
    ($($variant:ident = $name:literal $soap:literal,)*) => {
        /// The type of a field.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FieldType {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl FieldType {
            /// The name that describe gives the type.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The XML type that goes with it.
            pub const fn soap_type(self) -> &'static str {
                match self { $(Self::$variant => $soap,)* }
            }

            /// The type with this describe name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

field_types! {
    Id = "id" "tns:ID",
    Reference = "reference" "tns:ID",
    Boolean = "boolean" "xsd:boolean",
    String = "string" "xsd:string",
    TextArea = "textarea" "xsd:string",
    Picklist = "picklist" "xsd:string",
    MultiPicklist = "multipicklist" "xsd:string",
    ComboBox = "combobox" "xsd:string",
    Phone = "phone" "xsd:string",
    Email = "email" "xsd:string",
    Url = "url" "xsd:string",
    EncryptedString = "encryptedstring" "xsd:string",
    DataCategoryGroupReference = "datacategorygroupreference" "xsd:string",
    Int = "int" "xsd:int",
    Long = "long" "xsd:long",
    Double = "double" "xsd:double",
    Currency = "currency" "xsd:double",
    Percent = "percent" "xsd:double",
    Date = "date" "xsd:date",
    DateTime = "datetime" "xsd:dateTime",
    Time = "time" "xsd:time",
    Base64 = "base64" "xsd:base64Binary",
    Address = "address" "urn:address",
    Location = "location" "urn:location",
    AnyType = "anyType" "xsd:anyType",
    ComplexValue = "complexvalue" "urn:complexvalue",
    Json = "json" "urn:json",
}

impl FieldType {
    /// Whether values are text: trimmed and compared without regard to case.
    pub const fn is_text(self) -> bool {
        matches!(
            self,
            Self::String
                | Self::TextArea
                | Self::Picklist
                | Self::MultiPicklist
                | Self::ComboBox
                | Self::Phone
                | Self::Email
                | Self::Url
                | Self::EncryptedString
                | Self::DataCategoryGroupReference
                | Self::AnyType
        )
    }

    /// Whether values are Ids.
    pub const fn is_id(self) -> bool {
        matches!(self, Self::Id | Self::Reference)
    }

    /// Whether values are numbers with a fraction, which REST prints with a decimal point.
    pub const fn is_decimal(self) -> bool {
        matches!(self, Self::Double | Self::Currency | Self::Percent)
    }

    /// Whether values are whole numbers.
    pub const fn is_integer(self) -> bool {
        matches!(self, Self::Int | Self::Long)
    }

    /// Whether the field is made of other fields and has no storage of its own.
    pub const fn is_compound(self) -> bool {
        matches!(self, Self::Address | Self::Location)
    }
}
