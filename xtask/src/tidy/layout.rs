//! The shape of files: names, lengths, what stands in `lib.rs`, and what tests must not do.

const FILE_LIMIT: usize = 600;
const FUNCTION_LIMIT: usize = 60;
/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "types", "misc"];

pub(super) fn check(rust: &[(String, String)]) -> Vec<String> {
    rust.iter().flat_map(|(path, text)| file(path, text)).collect()
}

fn file(path: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let is_test = path.contains("/tests/") || path.contains("/benches/") || path.ends_with("/tests.rs");
    let stem = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    if EMPTY_NAMES.contains(&stem) || path.split('/').any(|part| EMPTY_NAMES.contains(&part)) {
        wrong.push(format!("{path}: the name says nothing of what is inside"));
    }
    let product = product_lines(text);
    if !is_test && product.len() > FILE_LIMIT {
        wrong.push(format!("{path}: {} lines without tests; {FILE_LIMIT} are the most", product.len()));
    }
    if !is_test {
        wrong.extend(long_functions(path, &product));
    }
    if path.ends_with("src/lib.rs")
        && product.iter().any(|line| line.trim_start().contains("fn ") && !line.contains("//"))
    {
        wrong.push(format!("{path}: lib.rs holds documentation and re-exports, no functions"));
    }
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("///") && line.contains("```ignore") {
            wrong.push(format!("{path}:{}: examples compile; `ignore` is refused", number + 1));
        }
        let in_test = is_test || number >= product.len();
        let sleeps = [concat!("thread::sl", "eep("), concat!("time::sl", "eep("), concat!(" sl", "eep(")];
        if in_test && sleeps.iter().any(|call| line.contains(call)) && !line.contains("fn ") {
            wrong.push(format!("{path}:{}: tests wait for a state, they do not sleep", number + 1));
        }
    }
    wrong
}

/// The lines before the test module, which by habit stands last.
fn product_lines(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0].trim() == "#[cfg(test)]" && pair[1].starts_with("mod "));
    let end = tests.unwrap_or(lines.len());
    lines[..end].to_vec()
}

/// Functions are found by their indentation, which rustfmt guarantees.
fn long_functions(path: &str, lines: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| begins_function(line)) {
        let indent = &line[..line.len() - line.trim_start().len()];
        let close = format!("{indent}}}");
        let body = lines[start..]
            .iter()
            .position(|l| *l == close || (l.ends_with(';') && l.starts_with(indent) && begins_function(l)));
        let length = body.map_or(0, |end| end + 1);
        if length > FUNCTION_LIMIT {
            wrong.push(format!("{path}:{}: a function of {length} lines; {FUNCTION_LIMIT} are the most", start + 1));
        }
    }
    wrong
}

fn begins_function(line: &str) -> bool {
    let line = line.trim_start();
    let visible = line
        .strip_prefix("pub(crate) ")
        .or_else(|| line.strip_prefix("pub(super) "))
        .or_else(|| line.strip_prefix("pub "));
    let rest = visible.unwrap_or(line);
    ["fn ", "async fn ", "const fn "].iter().any(|start| rest.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_habit_is_noticed() {
        let long = format!("fn long() {{\n{}}}\n", "    let a = 1;\n".repeat(70));
        for (path, text, found) in [
            ("crates/a/src/utils.rs", "", "the name says nothing"),
            ("crates/a/src/lib.rs", "pub fn f() {}\n", "no functions"),
            ("crates/a/src/b.rs", long.as_str(), "a function of 72 lines"),
            ("crates/a/src/b.rs", "/// ```ignore\n", "`ignore` is refused"),
            ("crates/a/tests/it.rs", concat!("    thread::sleep", "(x);\n"), "do not sleep"),
        ] {
            let wrong = file(path, text);
            assert!(wrong.iter().any(|w| w.contains(found)), "{path}: {wrong:?}");
        }
        assert!(file("crates/a/src/b.rs", "fn short() {\n}\n#[cfg(test)]\nmod tests {\n}\n").is_empty());
    }
}
