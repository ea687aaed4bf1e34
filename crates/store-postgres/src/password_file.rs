//! Passwords of databases, from the file that PostgreSQL's own programs read.

use std::env;
use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::Host;
use zeroize::Zeroizing;

use crate::place::PORT;
use crate::user_file::UserFile;

/// The password for the first host of `config`: what `PGPASSWORD` says, or else the line of the
/// file that fits. A file that others may read is passed over. All this is as PostgreSQL's own
/// programs do.
pub(crate) fn password_for(config: &Config) -> Option<Zeroizing<String>> {
    let said = env::var("PGPASSWORD").ok().filter(|said| !said.is_empty());
    if let Some(said) = said {
        return Some(Zeroizing::new(said));
    }
    let path = match env::var_os("PGPASSFILE").filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(env::var_os("HOME")?).join(".pgpass"),
    };
    let file = UserFile::read(&path).ok().filter(UserFile::is_private)?;
    let host = match config.get_hosts().first()? {
        Host::Tcp(name) => name.clone(),
        Host::Unix(folder) => folder.to_string_lossy().into_owned(),
    };
    let port = config
        .get_ports()
        .first()
        .copied()
        .unwrap_or(PORT)
        .to_string();
    let user = config
        .get_user()
        .map_or_else(|| env::var("USER").unwrap_or_default(), Into::into);
    let database = config.get_dbname().unwrap_or_default();
    find(&file.text, [&host, &port, database, &user])
}

/// The password of the first line that fits.
fn find(content: &str, wanted: [&str; 4]) -> Option<Zeroizing<String>> {
    content
        .lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            let mut fields = fields(line).into_iter();
            let fits = wanted.iter().all(|wanted| {
                let field = fields.next();
                field.is_some_and(|field| *field == "*" || *field == *wanted)
            });
            fields.next().filter(|_| fits)
        })
}

/// The fields of a line, which colons divide. A backslash takes the next character as it is.
fn fields(line: &str) -> Vec<Zeroizing<String>> {
    let mut fields = Vec::new();
    let mut field = Zeroizing::new(String::with_capacity(line.len()));
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => field.extend(characters.next()),
            ':' => {
                let next = Zeroizing::new(String::with_capacity(line.len()));
                fields.push(core::mem::replace(&mut field, next));
            }
            character => field.push(character),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_says_the_password() {
        let content = "# a comment\n\
                       db.example:5432:fleet:anna:of anna\n\
                       *:*:fleet:b\\:ob:of \\\\ bob\n\
                       *:*:*:*:of all\n";
        let found = |wanted| find(content, wanted).map(|it| it.as_str().to_owned());
        let is = |wanted, password: &str| assert_eq!(found(wanted).as_deref(), Some(password));
        is(["db.example", "5432", "fleet", "anna"], "of anna");
        is(["db.example", "5433", "fleet", "anna"], "of all");
        is(["x", "1", "fleet", "b:ob"], "of \\ bob");
        assert!(find("a:b:c\n", ["a", "b", "c", "d"]).is_none());
    }
}
