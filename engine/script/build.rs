//! Embeds the standard modules and the packaged runbooks: an installed binary needs no files beside
//! it. What lies in `stdlib/` and `runbooks/` decides; nothing is listed by hand.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = manifest.join("../..").canonicalize()?;
    let (stdlib, runbooks) = (root.join("stdlib"), root.join("runbooks"));
    for folder in [&stdlib, &runbooks] {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    let mut table = String::new();
    writes(&mut table, "pub(super) static MODULES: &[(&str, &str)] = &[\n");
    for file in files_of(&stdlib)? {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(stem) = name.strip_suffix(".rhai")
            && !stem.ends_with(".test")
        {
            let path = file.display().to_string();
            writes(
                &mut table,
                &format!("    ({:?}, include_str!({path:?})),\n", format!("std/{stem}")),
            );
        }
    }
    writes(&mut table, "];\npub(super) static RUNBOOKS: &[(&str, &[(&str, &str)])] = &[\n");
    for folder in folders_of(&runbooks)? {
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        writes(&mut table, &format!("    ({name:?}, &[\n"));
        for file in text_files_below(&folder)? {
            let relative = file.strip_prefix(&folder).unwrap_or(&file).display().to_string();
            let path = file.display().to_string();
            writes(&mut table, &format!("        ({relative:?}, include_str!({path:?})),\n"));
        }
        writes(&mut table, "    ]),\n");
    }
    writes(&mut table, "];\n");
    fs::write(Path::new(&variable("OUT_DIR")?).join("embedded.rs"), table)
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}

/// Writing to a String cannot fail.
fn writes(out: &mut String, text: &str) {
    let _ = out.write_str(text);
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = match fs::read_dir(folder) {
        Ok(entries) => {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    paths.retain(|path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| !name.starts_with('.'))
    });
    paths.sort();
    Ok(paths)
}

fn files_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(entries(folder)?.into_iter().filter(|path| path.is_file()).collect())
}

fn folders_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(entries(folder)?.into_iter().filter(|path| path.is_dir()).collect())
}

fn text_files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            found.extend(text_files_below(&path)?);
        } else if fs::read(&path).is_ok_and(|bytes| std::str::from_utf8(&bytes).is_ok()) {
            found.push(path);
        }
    }
    Ok(found)
}
