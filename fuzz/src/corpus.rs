//! The corpus: a file for each target, a text a line. libFuzzer wants a folder with a file for each text instead.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The texts of a target.
pub struct Corpus {
    folder: PathBuf,
    name: &'static str,
}

impl Corpus {
    /// That of this target, under `fuzz/`.
    pub fn of(name: &'static str) -> Self {
        Self { folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus"), name }
    }

    /// Its texts; line breaks and backslashes are escaped.
    pub fn read(&self) -> io::Result<Vec<String>> {
        let text = fs::read_to_string(self.file())?;
        Ok(text.lines().map(unescape).collect())
    }

    /// Writes them, sorted, each once. Texts with control characters are left out: the file stays one to be read.
    pub fn write(&self, mut texts: Vec<String>) -> io::Result<()> {
        texts.retain(|text| !text.contains(|char: char| char.is_control() && !"\n\r\t".contains(char)));
        texts.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        texts.dedup();
        let lines: String = texts.iter().map(|text| escape(text) + "\n").collect();
        fs::write(self.file(), lines)
    }

    /// The folder that libFuzzer reads and writes.
    pub fn unpacked(&self) -> PathBuf {
        self.folder.join(self.name)
    }

    /// Makes that folder.
    pub fn unpack(&self) -> io::Result<()> {
        fs::create_dir_all(self.unpacked())?;
        for (number, text) in self.read()?.iter().enumerate() {
            fs::write(self.unpacked().join(format!("{number:05}")), text)?;
        }
        Ok(())
    }

    fn file(&self) -> PathBuf {
        self.folder.join(self.name).with_extension("txt")
    }
}

/// The texts in a folder, a file each; what is not text is left out.
pub fn read_folder(folder: &Path) -> io::Result<Vec<String>> {
    let files = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let texts = files.map(|path| fs::read(path?).map(|bytes| String::from_utf8(bytes).ok()));
    texts.filter_map(Result::transpose).collect()
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}

fn unescape(line: &str) -> String {
    let mut text = String::new();
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        text.push(match char {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    text
}
