//! The file of services, in which an address has a name: that of PostgreSQL's own programs.

use std::env;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::user_file::UserFile;

/// What the file says of a service: words and their values, in its order.
pub(crate) struct Service(Vec<(String, Zeroizing<String>)>);

impl Service {
    /// Finds a service in the file that `PGSERVICEFILE` names, or else in
    /// `~/.pg_service.conf`. A password counts in a file alone that nobody else may read.
    pub(crate) fn find(name: &str) -> Result<Self, String> {
        let named = env::var_os("PGSERVICEFILE").filter(|path| !path.is_empty());
        let path = match (named, env::var_os("HOME")) {
            (Some(path), _) => PathBuf::from(path),
            (None, Some(home)) => PathBuf::from(home).join(".pg_service.conf"),
            (None, None) => return Err("name the file of services by PGSERVICEFILE".into()),
        };
        let shown = path.display();
        let file = UserFile::read(&path)
            .map_err(|_| format!("`{shown}`, the file of services, can't be read"))?;
        let service = Self::of(&file.text, name).ok_or_else(|| {
            format!("`{shown}` has no service `{name}`, or what is no `KEY=VALUE`")
        })?;
        let has_password = service.words().any(|(key, _)| key == PASSWORD);
        if has_password && !file.is_private() {
            return Err(format!(
                "`{shown}` has a password, and others may read it; chmod 600 {shown}"
            ));
        }
        Ok(service)
    }

    /// The words of a section, if all are some.
    fn of(text: &str, name: &str) -> Option<Self> {
        let lines = text.lines().map(str::trim);
        let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let heading = format!("[{name}]");
        lines.find(|line| *line == heading)?;
        let words = lines.take_while(|line| !line.starts_with('[')).map(|line| {
            let (key, value) = line.split_once('=')?;
            Some((key.to_owned(), Zeroizing::new(value.to_owned())))
        });
        words.collect::<Option<_>>().map(Self)
    }

    /// Each word with its value. Of one that stands there twice the first counts.
    pub(crate) fn words(&self) -> impl Iterator<Item = (&str, &str)> {
        let words = self.0.iter().enumerate();
        let is_first = |(place, (key, _)): &(usize, &(String, _))| {
            let mut before = self.0.iter().take(*place);
            !before.any(|(earlier, _)| earlier == key)
        };
        let first = words.filter(is_first);
        first.map(|(_, (key, value))| (key.as_str(), value.as_str()))
    }
}

/// The word for a password.
pub(crate) const PASSWORD: &str = "password";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_what_stands_below_its_name() {
        let text = "# services\n[other]\nhost=a\n\n[fleet]\n # theirs\n host=db.example \n\
                    dbname=fleet\nhost=late\noptions=-c a=b\n[next]\nuser=x\n";
        let service = Service::of(text, "fleet").unwrap();
        let words: Vec<_> = service.words().collect();
        assert_eq!(
            words,
            [
                ("host", "db.example"),
                ("dbname", "fleet"),
                ("options", "-c a=b")
            ]
        );
        assert!(Service::of(text, "nobody").is_none());
        assert!(Service::of("[fleet]\nhost\n", "fleet").is_none());
        assert!(Service::of("", "").is_none());
    }
}
