//! The manual pages that are of no command: how all belongs together, the options
//! of the plugin, and the fields of a scheme. Options and fields come from the
//! tables that the code itself reads.

use std::fs::File;
use std::io;
use std::path::Path;

use countersign_core::options::OPTIONS;
use countersign_core::scheme::FIELDS;
use roff::{Inline, Roff, bold, roman};

/// Writes all of them.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    for (name, section, page) in [
        ("countersign", "7", overview()),
        ("countersign-plugin", "5", plugin()),
        ("countersign-schemes", "5", schemes()),
    ] {
        page.to_writer(&mut File::create(folder.join(format!("{name}.{section}")))?)?;
    }
    Ok(())
}

fn overview() -> Roff {
    let mut page = begin(
        "countersign",
        "7",
        "how the parts of Countersign belong together",
    );
    page.control("SH", ["DESCRIPTION"]);
    for text in OVERVIEW {
        paragraph(&mut page, text);
    }
    page.control("SH", ["WORDS"]);
    for (word, about) in WORDS {
        item(&mut page, word, about);
    }
    page.control("SH", ["FILES"]);
    for (file, about) in FILES {
        item(&mut page, file, about);
    }
    page.control("SH", ["ENVIRONMENT"]);
    item(
        &mut page,
        "COUNTERSIGN_STORE",
        "the store, where `--store` names none",
    );
    see_also(
        &mut page,
        "countersign(1), countersign-plugin(5), countersign-schemes(5), mosquitto(8), \
         mosquitto.conf(5)",
    );
    page
}

fn plugin() -> Roff {
    let about = "options of Countersign's plugin in mosquitto.conf";
    let mut page = begin("countersign-plugin", "5", about);
    page.control("SH", ["SYNOPSIS"]);
    page.control("nf", []);
    page.text([roman(
        "plugin /usr/lib/countersign/libmosquitto_countersign.so",
    )]);
    page.text([roman(
        "plugin_opt_store /var/lib/countersign/countersign.db",
    )]);
    page.control("fi", []);
    page.control("SH", ["DESCRIPTION"]);
    for text in PLUGIN {
        paragraph(&mut page, text);
    }
    page.control("SH", ["OPTIONS"]);
    for option in OPTIONS {
        let name = format!("plugin_opt_{}", option.name);
        item(&mut page, &name, &sentence(option.about));
        detail(&mut page, "Value", option.value);
        detail(&mut page, "Without it", option.without);
    }
    see_also(
        &mut page,
        "countersign(7), countersign-doctor(1), mosquitto.conf(5)",
    );
    page
}

fn schemes() -> Roff {
    let about = "files of Countersign's schemes";
    let mut page = begin("countersign-schemes", "5", about);
    page.control("SH", ["DESCRIPTION"]);
    for text in SCHEMES {
        paragraph(&mut page, text);
    }
    page.control("SH", ["FIELDS"]);
    for field in FIELDS {
        item(&mut page, field.key, &sentence(field.about));
        detail(&mut page, "Value", field.value);
    }
    see_also(
        &mut page,
        "countersign(7), countersign-scheme-show(1), countersign-scheme-add(1)",
    );
    page
}

fn begin(name: &str, section: &str, about: &str) -> Roff {
    let version = concat!("countersign ", env!("CARGO_PKG_VERSION"));
    let mut page = Roff::new();
    page.control("TH", [name, section, "", version, "Countersign"]);
    page.control("ad", ["l"]);
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{name} - {about}"))]);
    page
}

pub(super) fn see_also(page: &mut Roff, pages: &str) {
    page.control("SH", ["SEE ALSO"]);
    page.text([roman(pages)]);
}

pub(super) fn paragraph(page: &mut Roff, text: &str) {
    page.control("PP", []);
    page.text(inline(text));
}

/// A word, and indented below it what it means.
fn item(page: &mut Roff, word: &str, about: &str) {
    page.control("TP", []);
    page.text([bold(word)]);
    page.text(inline(about));
}

/// One more line of an item.
fn detail(page: &mut Roff, name: &str, text: &str) {
    page.control("br", []);
    page.text(inline(&format!("{name}: {text}.")));
}

/// A text whose first letter is a capital, with a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

/// Text in which what stands between backticks is written as code is.
fn inline(text: &str) -> Vec<Inline> {
    let parts = text.split('`').enumerate();
    let parts = parts.filter(|(_, part)| !part.is_empty());
    parts
        .map(|(number, part)| match number % 2 {
            0 => roman(part),
            _ => bold(part),
        })
        .collect()
}

const OVERVIEW: &[&str] = &[
    "Countersign decides who may connect to an MQTT broker, and what they may publish and \
     subscribe to. All that it knows is in one file, the store. The program `countersign` makes \
     the store and changes it; the plugin, loaded by a broker, reads it and follows each change \
     within a quarter of a second. Nothing has to be reloaded: whoever is suspended, revoked or \
     deleted is off the broker at once.",
    "The broker loads the plugin by a line of its configuration, see countersign-plugin(5). \
     Several brokers may use one store on one machine.",
    "`countersign doctor` looks for whatever keeps a broker from using the store. `countersign \
     why` says why a client is refused, and `countersign check` what a client would be told.",
];

const WORDS: &[(&str, &str)] = &[
    (
        "tenant",
        "A customer, kept apart from all others. It owns topics, which no other tenant's clients \
         reach, whatever a rule says.",
    ),
    (
        "credential",
        "What a device or a service logs in with: a name and a secret, in a tenant. It is \
         Inactive until it is first used, then Active; it may be Suspended, and Revoked for good.",
    ),
    (
        "scheme",
        "How a kind of credential is made, bound and authorised; see countersign-schemes(5).",
    ),
    (
        "rule",
        "Allows or denies publishing or subscribing to what a pattern matches. Without an allow \
         nothing is allowed, and a deny always wins.",
    ),
    (
        "role",
        "A named set of rules in a tenant, which credentials and groups hold.",
    ),
    (
        "group",
        "A dotted path that sorts credentials. What is bound to a group holds for all below it.",
    ),
    (
        "operator",
        "A login outside of all tenants, such as a bridge; bound by its own rules alone.",
    ),
    (
        "user",
        "A person: an e-mail address, a password, perhaps a second factor, and roles in tenants.",
    ),
    (
        "application, thing",
        "An application owns a token that many things present; each thing has a key of its own.",
    ),
    (
        "session",
        "One live connection of a client that was let in.",
    ),
    (
        "audit",
        "What was done by whom, and which logins and uses were refused, in a chain that shows \
         what is missing.",
    ),
];

const FILES: &[(&str, &str)] = &[
    (
        "/var/lib/countersign/countersign.db",
        "The store. It belongs to the user that the broker runs as, as all beside it does.",
    ),
    (
        "countersign.db-wal, countersign.db-shm",
        "What SQLite keeps beside a store that is used.",
    ),
    (
        "countersign.db.key",
        "The key file, which opens second factors and signs tokens. It is in no backup: keep a \
         copy apart.",
    ),
    (
        "countersign.db.vN.bak",
        "A copy of the store, made before a newer version brought it up to date.",
    ),
    (
        "/usr/lib/countersign/libmosquitto_countersign.so",
        "The plugin.",
    ),
    (
        "/usr/share/doc/mosquitto-countersign/countersign.conf.example",
        "What to put into Mosquitto's configuration, once there is a store.",
    ),
];

const PLUGIN: &[&str] = &[
    "Mosquitto loads the plugin by these lines. The options stand below it, in the same file, and \
     are read when the broker starts: with one that is unknown or of a wrong value the broker does \
     not start, and says why in one line. White space behind a value belongs to it, and a comment \
     needs a line of its own.",
    "`countersign doctor --config /etc/mosquitto/mosquitto.conf` reads all of it as the broker \
     does.",
];

const SCHEMES: &[&str] = &[
    "A scheme says how a kind of credential is made, bound and authorised. Some are built in, \
     which `countersign scheme list` shows. `countersign scheme show` prints one as TOML, with \
     one key a line, and `countersign scheme add` takes such a file.",
    "A shape says what a generated text looks like: letters stand for themselves, a set in \
     brackets for one letter of it, and a count in braces says how many.",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_for_no_text() {
        assert_eq!(inline(""), []);
        assert_eq!(sentence(""), ".");
    }

    #[test]
    fn what_stands_between_backticks_is_bold() {
        assert_eq!(inline("a `b`"), [roman("a "), bold("b")]);
    }
}
