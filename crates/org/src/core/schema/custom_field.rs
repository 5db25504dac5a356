//! Custom fields, made from metadata files (metadata.md 2).

use tombolo_schema::{DefaultValue, Field, FieldFlags, FieldType, Object, PicklistValue};

use super::{custom::Extra, markup::Element, source::Source};

/// What a field's file makes: the field, and before it the parts it is made of.
#[derive(Debug)]
pub(super) struct CustomField {
    pub(super) fields: Vec<Field>,
    /// The name of the children in child queries of the parent.
    pub(super) child_name: Option<String>,
    pub(super) extra: Extra,
}

/// Makes a field from its file.
pub(super) fn build(name: &str, file: &Element, source: &Source) -> Result<CustomField, String> {
    let written = file.text("type").ok_or("it says no type")?;
    let formula = file.text("formula");
    let field_type = field_type(written).ok_or_else(|| format!("`{written}` is no field type"))?;
    let mut field = Field::new(name, field_type);
    field.label = file.text("label").unwrap_or(name).to_owned();
    field.inline_help_text = file.text("inlineHelpText").map(str::to_owned);
    field.flags = flags(field_type);
    size(&mut field, written, file);
    picklist(&mut field, file, source)?;
    let child_name = reference(&mut field, written, file)?;
    rules(&mut field, file);
    if let Some(formula) = formula {
        field.calculated_formula = Some(formula.to_owned());
        field.flags.formula_treat_null_number_as_zero = file.text("formulaTreatBlanksAs") == Some("BlankAsZero");
        calculated(&mut field);
    }
    if written == "Summary" {
        calculated(&mut field);
    }
    if written == "AutoNumber" {
        (field.flags.createable, field.flags.updateable, field.flags.nillable) = (false, false, false);
        (field.flags.auto_number, field.flags.defaulted_on_create) = (true, true);
        field.display_format = file.text("displayFormat").map(str::to_owned);
    }
    let constant_default = default(&mut field, file);
    let starting_number = file.number("startingNumber").map_or(1, u64::from);
    let fields = if field_type == FieldType::Location { location(field, file) } else { vec![field] };
    Ok(CustomField { fields, child_name, extra: Extra { constant_default, starting_number } })
}

fn field_type(written: &str) -> Option<FieldType> {
    Some(match written {
        "AutoNumber" | "Text" => FieldType::String,
        "Lookup"
        | "MasterDetail"
        | "Hierarchy"
        | "MetadataRelationship"
        | "ExternalLookup"
        | "IndirectLookup"
        | "File" => FieldType::Reference,
        "Checkbox" => FieldType::Boolean,
        "Currency" => FieldType::Currency,
        "Date" => FieldType::Date,
        "DateTime" => FieldType::DateTime,
        "Time" => FieldType::Time,
        "Email" => FieldType::Email,
        "Number" | "Summary" => FieldType::Double,
        "Percent" => FieldType::Percent,
        "Phone" => FieldType::Phone,
        "Picklist" => FieldType::Picklist,
        "MultiselectPicklist" => FieldType::MultiPicklist,
        "TextArea" | "LongTextArea" | "Html" => FieldType::TextArea,
        "Url" => FieldType::Url,
        "EncryptedText" => FieldType::EncryptedString,
        "Location" => FieldType::Location,
        "EntityDefinition" | "FieldDefinition" => FieldType::String,
        _ => return None,
    })
}

/// What a custom field of this type can be asked for and done with.
fn flags(field_type: FieldType) -> FieldFlags {
    let is_compound = field_type.is_compound();
    let is_number = field_type.is_decimal();
    let is_list = matches!(field_type, FieldType::MultiPicklist);
    FieldFlags {
        custom: true,
        permissionable: true,
        nillable: true,
        createable: !is_compound,
        updateable: !is_compound,
        filterable: true,
        sortable: !is_compound && !is_list,
        groupable: !is_compound
            && !is_number
            && !is_list
            && !matches!(field_type, FieldType::DateTime | FieldType::Time),
        aggregatable: !is_compound && !is_list && field_type != FieldType::Boolean,
        query_by_distance: is_compound,
        encrypted: field_type == FieldType::EncryptedString,
        ..FieldFlags::default()
    }
}

fn size(field: &mut Field, written: &str, file: &Element) {
    field.length = match written {
        "Text" | "EncryptedText" | "TextArea" | "Url" | "Picklist" => file.number("length").unwrap_or(255),
        "Lookup"
        | "MasterDetail"
        | "Hierarchy"
        | "MetadataRelationship"
        | "ExternalLookup"
        | "IndirectLookup"
        | "File" => 18,
        "AutoNumber" => 30,
        "Phone" => 40,
        "Email" => 80,
        "MultiselectPicklist" => 4099,
        "LongTextArea" | "Html" => file.number("length").unwrap_or(32_768),
        _ => 0,
    };
    if field.field_type.is_decimal() {
        field.precision = file.number("precision").unwrap_or(18);
        field.scale = file.number("scale").unwrap_or(0);
    }
    match written {
        "TextArea" => field.extra_type_info = Some("plaintextarea".to_owned()),
        "LongTextArea" | "Html" => {
            let kind = if written == "Html" { "richtextarea" } else { "plaintextarea" };
            field.extra_type_info = Some(kind.to_owned());
            field.flags.html_formatted = written == "Html";
            (field.flags.filterable, field.flags.sortable) = (false, false);
            (field.flags.groupable, field.flags.aggregatable) = (false, false);
        }
        _ => {}
    }
}

fn picklist(field: &mut Field, file: &Element, source: &Source) -> Result<(), String> {
    let Some(set) = file.child("valueSet") else { return Ok(()) };
    field.flags.restricted_picklist = set.is("restricted");
    field.controller_name = set.text("controllingField").map(str::to_owned);
    field.flags.dependent_picklist = field.controller_name.is_some();
    field.picklist_values = match (set.child("valueSetDefinition"), set.text("valueSetName")) {
        (Some(definition), _) => definition.all("value").filter_map(picklist_value).collect(),
        (None, Some(name)) => {
            let global = source.value_sets.get(name);
            let global = global.ok_or_else(|| format!("there is no global value set `{name}` in the project"))?;
            // A global value set is always restricted.
            field.flags.restricted_picklist = true;
            global.all("customValue").filter_map(picklist_value).collect()
        }
        (None, None) => Vec::new(),
    };
    Ok(())
}

fn picklist_value(element: &Element) -> Option<PicklistValue> {
    let value = element.text("fullName")?.to_owned();
    Some(PicklistValue {
        label: element.text("label").unwrap_or(&value).to_owned(),
        active: element.text("isActive") != Some("false"),
        default_value: element.is("default"),
        valid_for: None,
        value,
    })
}

/// Where a reference leads. Answers with the name its children have.
fn reference(field: &mut Field, written: &str, file: &Element) -> Result<Option<String>, String> {
    if field.field_type != FieldType::Reference {
        return Ok(None);
    }
    let parent = match (file.text("referenceTo"), written) {
        (Some(parent), _) => parent,
        (None, "Hierarchy") => "User",
        (None, "File") => "ContentVersion",
        (None, _) => return Err("it does not say what it refers to".to_owned()),
    };
    field.reference_to = vec![parent.to_owned()];
    field.relationship_name = field.name.strip_suffix("__c").map(|stem| format!("{stem}__r"));
    if written == "MasterDetail" {
        field.relationship_order = Some(u8::from(file.number("relationshipOrder") == Some(1)));
        field.flags.cascade_delete = true;
        field.flags.nillable = false;
        field.flags.updateable = file.is("reparentableMasterDetail");
        field.flags.permissionable = false;
        field.flags.write_requires_master_read = file.is("writeRequiresMasterRead");
    }
    match file.text("deleteConstraint") {
        Some("Cascade") => field.flags.cascade_delete = true,
        Some("Restrict") => field.flags.restricted_delete = true,
        _ => {}
    }
    Ok(file.text("relationshipName").map(|name| format!("{name}__r")))
}

fn rules(field: &mut Field, file: &Element) {
    if file.is("required") {
        field.flags.nillable = false;
        field.flags.permissionable = false;
    }
    if file.is("externalId") {
        (field.flags.external_id, field.flags.id_lookup) = (true, true);
    }
    if file.is("unique") {
        (field.flags.unique, field.flags.id_lookup) = (true, true);
        field.flags.case_sensitive = file.is("caseSensitive");
    }
    if field.field_type == FieldType::Boolean {
        (field.flags.nillable, field.flags.defaulted_on_create) = (false, true);
    }
}

fn calculated(field: &mut Field) {
    field.flags.calculated = true;
    (field.flags.createable, field.flags.updateable, field.flags.nillable) = (false, false, true);
    if field.field_type == FieldType::String {
        // What a text formula may grow to.
        field.length = 1300;
    }
}

/// What a new record gets: a constant, or a formula, which is described and not computed.
fn default(field: &mut Field, file: &Element) -> Option<DefaultValue> {
    let chosen = field.picklist_values.iter().find(|v| v.default_value).map(|v| v.value.clone());
    let written = file.text("defaultValue");
    if field.field_type == FieldType::Boolean && !field.flags.calculated {
        let on = written.is_some_and(|text| text.eq_ignore_ascii_case("true"));
        field.default_value = Some(DefaultValue::Boolean(on));
        return Some(DefaultValue::Boolean(on));
    }
    if let Some(chosen) = chosen {
        field.flags.defaulted_on_create = true;
        field.default_value = Some(DefaultValue::Text(chosen.clone()));
        return Some(DefaultValue::Text(chosen));
    }
    let written = written?;
    field.default_value_formula = Some(written.to_owned());
    let constant = literal(written);
    field.flags.defaulted_on_create = constant.is_some();
    constant
}

/// The value of a formula that is nothing but a literal.
fn literal(formula: &str) -> Option<DefaultValue> {
    for quote in ['"', '\''] {
        if let Some(inner) = formula.strip_prefix(quote).and_then(|f| f.strip_suffix(quote)) {
            return (!inner.contains([quote, '\\'])).then(|| DefaultValue::Text(inner.to_owned()));
        }
    }
    match formula.to_ascii_lowercase().as_str() {
        "true" => Some(DefaultValue::Boolean(true)),
        "false" => Some(DefaultValue::Boolean(false)),
        number => {
            let digits = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'-');
            let is_number = number.bytes().all(digits) && number.parse::<f64>().is_ok();
            is_number.then(|| DefaultValue::Text(number.to_owned()))
        }
    }
}

/// A location and its two parts: `Loc__Latitude__s`, `Loc__Longitude__s`.
fn location(mut whole: Field, file: &Element) -> Vec<Field> {
    let stem = whole.name.strip_suffix("__c").unwrap_or(&whole.name).to_owned();
    let scale = file.number("scale").unwrap_or(0);
    whole.flags.display_location_in_decimal = file.is("displayLocationInDecimal");
    let part = |part: &str| Field {
        label: format!("{} ({part})", whole.label),
        precision: scale + 3,
        scale,
        flags: FieldFlags { nillable: whole.flags.nillable, ..flags(FieldType::Double) },
        compound_field_name: Some(whole.name.clone()),
        ..Field::new(&format!("{stem}__{part}__s"), FieldType::Double)
    };
    vec![part("Latitude"), part("Longitude"), whole]
}

/// A roll-up has the type of what it sums up; counts are plain numbers.
pub(super) fn resolve_summaries(objects: &mut [Object], source: &Source) {
    for (object, name, summarized) in summaries(source) {
        let Some((child, field)) = summarized.split_once('.') else { continue };
        let of = objects.iter().find(|o| o.name == child).and_then(|o| o.field(field));
        let Some((field_type, precision, scale)) = of.map(|f| (f.field_type, f.precision, f.scale)) else { continue };
        let target = objects.iter_mut().find(|o| o.name == object);
        if let Some(target) = target.and_then(|o| o.fields.iter_mut().find(|f| f.name == name)) {
            (target.field_type, target.precision, target.scale) = (field_type, precision, scale);
        }
    }
}

fn summaries(source: &Source) -> Vec<(String, String, String)> {
    let all =
        source.objects.iter().flat_map(|(object, o)| o.fields.iter().map(move |(name, (_, f))| (object, name, f)));
    all.filter_map(|(object, name, file)| {
        let summarized = file.text("summarizedField").filter(|_| file.text("type") == Some("Summary"))?;
        Some((object.clone(), name.clone(), summarized.to_owned()))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(xml: &str) -> CustomField {
        let file = Element::parse(&format!("<CustomField>{xml}</CustomField>")).unwrap();
        build("F__c", &file, &Source::default()).unwrap()
    }

    #[test]
    fn every_type_has_its_facts() {
        for (xml, expect) in [
            ("<type>Text</type><length>80</length>", ("string", 80, 0, 0)),
            ("<type>Number</type><precision>6</precision><scale>2</scale>", ("double", 0, 6, 2)),
            ("<type>Currency</type><precision>6</precision><scale>0</scale>", ("currency", 0, 6, 0)),
            ("<type>Percent</type><precision>5</precision><scale>2</scale>", ("percent", 0, 5, 2)),
            ("<type>Checkbox</type>", ("boolean", 0, 0, 0)),
            ("<type>Date</type>", ("date", 0, 0, 0)),
            ("<type>DateTime</type>", ("datetime", 0, 0, 0)),
            ("<type>Time</type>", ("time", 0, 0, 0)),
            ("<type>Email</type>", ("email", 80, 0, 0)),
            ("<type>Phone</type>", ("phone", 40, 0, 0)),
            ("<type>Url</type>", ("url", 255, 0, 0)),
            ("<type>TextArea</type>", ("textarea", 255, 0, 0)),
            ("<type>LongTextArea</type><length>1000</length>", ("textarea", 1000, 0, 0)),
            ("<type>Html</type>", ("textarea", 32_768, 0, 0)),
            ("<type>AutoNumber</type>", ("string", 30, 0, 0)),
            ("<type>EncryptedText</type><length>20</length>", ("encryptedstring", 20, 0, 0)),
            ("<type>Lookup</type><referenceTo>Account</referenceTo>", ("reference", 18, 0, 0)),
            ("<type>Hierarchy</type>", ("reference", 18, 0, 0)),
            ("<type>Picklist</type>", ("picklist", 255, 0, 0)),
            ("<type>MultiselectPicklist</type>", ("multipicklist", 4099, 0, 0)),
            ("<type>Summary</type>", ("double", 0, 18, 0)),
        ] {
            let made = field(xml);
            let facts = made.fields.last().unwrap();
            assert_eq!((facts.field_type.name(), facts.length, facts.precision, facts.scale), expect, "{xml}");
        }
    }

    #[test]
    fn formulas_are_described() {
        let made = field("<type>Text</type><formula>A &amp; B</formula>");
        let facts = &made.fields[0];
        assert_eq!(facts.calculated_formula.as_deref(), Some("A & B"));
        assert!(facts.flags.calculated && !facts.flags.createable && facts.flags.nillable);
        assert_eq!(facts.length, 1300);
    }

    #[test]
    fn defaults_are_constants_or_formulas() {
        for (written, constant) in [
            ("\"New\"", Some(DefaultValue::Text("New".into()))),
            ("'New'", Some(DefaultValue::Text("New".into()))),
            ("1", Some(DefaultValue::Text("1".into()))),
            ("-1.5", Some(DefaultValue::Text("-1.5".into()))),
            ("true", Some(DefaultValue::Boolean(true))),
            ("TODAY() - 10", None),
            ("\"a\" &amp; \"b\"", None),
            ("A__c", None),
        ] {
            let made = field(&format!("<type>Text</type><defaultValue>{written}</defaultValue>"));
            assert_eq!(made.extra.constant_default, constant, "{written}");
            assert!(made.fields[0].default_value_formula.is_some());
        }
    }

    #[test]
    fn locations_have_parts() {
        let made = field("<type>Location</type><scale>7</scale>");
        let names: Vec<_> = made.fields.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["F__Latitude__s", "F__Longitude__s", "F__c"]);
        assert_eq!((made.fields[0].precision, made.fields[0].scale), (10, 7));
    }

    #[test]
    fn a_file_that_says_too_little_is_refused() {
        for (xml, expect) in [
            ("", "it says no type"),
            ("<type>Nonsense</type>", "`Nonsense` is no field type"),
            ("<type>Lookup</type>", "it does not say what it refers to"),
            (
                "<type>Picklist</type><valueSet><valueSetName>X</valueSetName></valueSet>",
                "there is no global value set `X` in the project",
            ),
        ] {
            let file = Element::parse(&format!("<CustomField>{xml}</CustomField>")).unwrap();
            assert_eq!(build("F__c", &file, &Source::default()).unwrap_err(), expect);
        }
    }
}
