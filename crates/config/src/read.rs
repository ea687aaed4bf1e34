//! Reads the lines of a configuration into listeners, plugins and settings.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::line::{Line, content, included, lines};
use crate::value::{flag, number};
use crate::word::{self, ValueKind, Word, WordScope};
use crate::{BrokerConfig, Diagnostic, DiagnosticKind, OPTION_PREFIX, OpenedBy, Source, Sourced};

mod listeners;
mod settings;

/// A configuration that is being read.
#[derive(Default)]
pub(crate) struct ConfigReader {
    config: BrokerConfig,
    /// The listener that is there because something was said of none.
    default_listener: Option<usize>,
    /// Whether security settings were read, wherever they belong.
    has_security: bool,
    /// Texts that may stand once, by what they belong to.
    once: HashMap<(SettingOwner, String), Source>,
}

/// What a setting belongs to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum SettingOwner {
    Bridge(usize),
    Broker,
    Listener(usize),
}

/// What the next line of a file belongs to. Each file begins anew.
#[derive(Clone, Copy, Default)]
struct CurrentBlock {
    bridge: Option<usize>,
    is_included: bool,
    listener: Option<usize>,
    plugin: Option<usize>,
}

impl ConfigReader {
    pub(crate) fn read(mut self, path: &Path) -> Result<BrokerConfig, Diagnostic> {
        let text = content(path).map_err(|kind| Diagnostic { at: None, kind })?;
        self.file(path, &text, CurrentBlock::default());
        Ok(self.config)
    }

    fn file(&mut self, path: &Path, text: &[u8], mut block: CurrentBlock) {
        let file: Arc<Path> = path.into();
        let at = |line| Source {
            file: Arc::clone(&file),
            line,
        };
        match lines(text) {
            Ok(lines) => {
                for line in lines {
                    let at = at(line.number);
                    if let Err(kind) = self.line(&line, &at, &mut block) {
                        self.diagnostic(&at, kind);
                    }
                }
            }
            Err(number) => self.diagnostic(&at(number), DiagnosticKind::BrokenLine),
        }
    }

    fn diagnostic(&mut self, at: &Source, kind: DiagnosticKind) {
        if self.config.diagnostics.len() < MOST_DIAGNOSTICS {
            let at = Some(at.clone());
            self.config.diagnostics.push(Diagnostic { at, kind });
        }
    }

    fn line(
        &mut self,
        line: &Line,
        at: &Source,
        block: &mut CurrentBlock,
    ) -> Result<(), DiagnosticKind> {
        let word = line.word.as_str();
        let option = word
            .strip_prefix(OPTION_PREFIX)
            .or_else(|| word.strip_prefix("auth_opt_"));
        if let Some(option) = option {
            return self.option(word, option, &line.rest, at, block);
        }
        let about =
            word::find(word).ok_or_else(|| DiagnosticKind::Unknown { word: word.into() })?;
        if about.only_2_1 {
            self.config.only_2_1.get_or_insert_with(|| at.clone());
        }
        let owner = self.owner(word, about, at, block)?;
        let value = line.rest.trim();
        if value.is_empty() {
            return Err(DiagnosticKind::Empty { word: word.into() });
        }
        match about.kind {
            ValueKind::Flag => self.flag(word, owner, flag(word, value)?, at),
            ValueKind::Number => number(word, value).map(|_| ()),
            ValueKind::Once => self.once(word, owner, value, at),
            ValueKind::Text => self.text(word, &line.rest, owner, at, block),
        }
    }

    /// Finds what a setting belongs to; opens the default listener where it is
    /// a listener's and none is above it.
    fn owner(
        &mut self,
        word: &str,
        about: Word,
        at: &Source,
        block: &mut CurrentBlock,
    ) -> Result<SettingOwner, DiagnosticKind> {
        let no_listener = || DiagnosticKind::NoListener { word: word.into() };
        match about.scope {
            WordScope::Below => block
                .listener
                .map(SettingOwner::Listener)
                .ok_or_else(no_listener),
            WordScope::Bridge => block
                .bridge
                .map(SettingOwner::Bridge)
                .ok_or_else(|| DiagnosticKind::NoBridge { word: word.into() }),
            WordScope::Global => Ok(SettingOwner::Broker),
            WordScope::Listener => {
                let listener = block
                    .listener
                    .unwrap_or_else(|| self.default(at, OpenedBy::BySetting(word.into())));
                block.listener = Some(listener);
                Ok(SettingOwner::Listener(listener))
            }
            WordScope::Security => self.secured(block).ok_or_else(no_listener),
        }
    }

    /// What a security setting belongs to.
    fn secured(&mut self, block: &CurrentBlock) -> Option<SettingOwner> {
        self.has_security = true;
        if self.config.is_per_listener() {
            block.listener.map(SettingOwner::Listener)
        } else {
            Some(SettingOwner::Broker)
        }
    }

    fn option(
        &mut self,
        word: &str,
        option: &str,
        rest: &str,
        at: &Source,
        block: &CurrentBlock,
    ) -> Result<(), DiagnosticKind> {
        let plugin = block
            .plugin
            .and_then(|index| self.config.plugins.get_mut(index))
            .ok_or_else(|| DiagnosticKind::NoPlugin { word: word.into() })?;
        // Mosquitto refuses shorter ones.
        if option.len() < 3 {
            return Err(DiagnosticKind::Unknown { word: word.into() });
        }
        let value = rest.trim_start_matches([' ', '\t']);
        if value.is_empty() {
            return Err(DiagnosticKind::Empty { word: word.into() });
        }
        let value = Sourced::new(at, value.into());
        plugin.options.push((option.into(), value));
        Ok(())
    }

    fn include(
        &mut self,
        folder: &str,
        at: &Source,
        block: &CurrentBlock,
    ) -> Result<(), DiagnosticKind> {
        if block.is_included {
            return Err(DiagnosticKind::NestedInclude);
        }
        if folder.trim() != folder {
            return Err(DiagnosticKind::WhiteSpace {
                word: "include_dir".into(),
                value: folder.into(),
            });
        }
        for path in included(folder)? {
            match content(&path) {
                Ok(text) => {
                    let block = CurrentBlock {
                        is_included: true,
                        ..CurrentBlock::default()
                    };
                    self.file(&path, &text, block);
                }
                Err(kind) => self.diagnostic(at, kind),
            }
        }
        Ok(())
    }
}

const MOST_DIAGNOSTICS: usize = 100;

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::{ProptestConfig, proptest};

    use super::*;

    fn read(text: &str) -> BrokerConfig {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("m.conf");
        fs::write(
            &file,
            text.replace("FOLDER", folder.path().to_str().unwrap()),
        )
        .unwrap();
        BrokerConfig::read(&file).unwrap()
    }

    fn diagnostics(text: &str) -> Vec<String> {
        let diagnostics = read(text).diagnostics;
        diagnostics
            .iter()
            .map(|diagnostic| {
                let shown = diagnostic.to_string();
                shown
                    .split_once("m.conf:")
                    .map_or(shown.clone(), |(_, rest)| rest.into())
            })
            .collect()
    }

    #[test]
    fn an_empty_configuration_has_nothing_and_no_fault() {
        let config = read("");
        assert!(config.listeners.is_empty() && config.plugins.is_empty());
        assert_eq!(config.diagnostics, []);
        assert_eq!(config.user(), "mosquitto");
    }

    #[test]
    fn a_plugin_guards_what_the_broker_has_it_guard() {
        for (text, expected) in [
            ("listener 1\nplugin /a.so\nlistener 2", vec![1, 1]),
            (
                "per_listener_settings true\nlistener 1\nplugin /a.so\nlistener 2",
                vec![1, 0],
            ),
            (
                "plugin_load a /a.so\nlistener 1\nplugin_use a\nlistener 2",
                vec![1, 0],
            ),
            ("global_plugin /a.so\nlistener 1\nlistener 2", vec![1, 1]),
            (
                "per_listener_settings true\nglobal_plugin /a.so\nlistener 1",
                vec![1],
            ),
            ("plugin_load a /a.so\nlistener 1", vec![0]),
            ("listener 1\nauth_plugin /a.so\nplugin /b.so", vec![2]),
        ] {
            let config = read(text);
            assert_eq!(config.diagnostics, [], "{text}");
            let asked = |listener| config.asked(Some(listener)).count();
            let asked: Vec<_> = config.listeners.iter().map(asked).collect();
            assert_eq!(asked, expected, "{text}");
        }
    }

    #[test]
    fn options_belong_to_the_plugin_above_them_and_keep_their_white_space() {
        let config = read(
            "plugin_load a /a.so\nplugin_opt_one  x \nplugin /b.so \nauth_opt_two y\n\
             listener 1\nplugin_use a\nplugin_opt_three\t z",
        );
        let [a, b] = config.plugins.as_slice() else {
            panic!("{config:?}");
        };
        assert_eq!((a.option("one"), b.option("two")), (Some("x "), Some("y")));
        assert_eq!(b.path, "/b.so ");
        assert_eq!(a.option("three\t"), Some("z"), "a tab does not end a word");
        assert_eq!(a.options.first().unwrap().1.at.line, 2);
    }

    #[test]
    fn a_setting_above_all_listeners_opens_the_default_one_besides() {
        for (text, expected) in [
            ("protocol websockets\nlistener 9001", vec![1883, 9001]),
            ("listener 8883\ncertfile /c", vec![8883]),
            ("port 1884\nprotocol mqtt", vec![1884]),
            ("bind_address 127.0.0.1", vec![1883]),
            ("allow_anonymous true\nlistener 1", vec![1]),
        ] {
            let config = read(text);
            let ports: Vec<_> = config.listeners.iter().map(|it| it.port).collect();
            assert_eq!(ports, expected, "{text}");
        }
    }

    #[test]
    fn what_keeps_the_broker_from_starting_is_a_fault_of_its_line() {
        for (text, expected) in [
            ("nonsense x", "1: Mosquitto knows no setting `nonsense`"),
            ("\n  # no comment", "2: Mosquitto knows no setting `#`"),
            (
                "listener\t1883",
                "1: Mosquitto knows no setting `listener\\t1883`",
            ),
            (
                "plugin_opt_store /x",
                "1: `plugin_opt_store` belongs to no plugin",
            ),
            (
                "plugin /a.so\nplugin_opt_store",
                "2: `plugin_opt_store` has no value",
            ),
            (
                "plugin /a.so\nplugin_opt_ab x",
                "2: Mosquitto knows no setting `plugin_opt_ab`",
            ),
            ("listener 0", "1: `listener 0`: write a port, or"),
            ("listener x", "1: `listener x`: write a port"),
            (
                "allow_anonymous yes",
                "1: `allow_anonymous yes`: write `true` or `false`",
            ),
            (
                "listener 1\nplugin_use a",
                "2: `plugin_use a` names a plugin that is not loaded",
            ),
            (
                "plugin_load a /a.so\nplugin_use a",
                "2: `plugin_use` belongs to no listener",
            ),
            (
                "local_clientid x",
                "1: `local_clientid` belongs to no bridge",
            ),
            ("acl_file /a\nacl_file /b", "2: `acl_file` is given twice"),
            (
                "allow_anonymous true\nper_listener_settings true",
                "2: `per_listener_settings true`",
            ),
            (
                "per_listener_settings true\nplugin /a.so",
                "2: `plugin` belongs to no listener",
            ),
            ("include_dir FOLDER/none", "1: could not read"),
            (
                "include_dir FOLDER ",
                "1: the white space around the value of `include_dir`",
            ),
            (
                "include_dir FOLDER",
                "`include_dir` stands in an included file",
            ),
            ("user me\nlog_type \0", "2: the line holds a NUL byte"),
        ] {
            let diagnostics = diagnostics(text);
            let [diagnostic] = diagnostics.as_slice() else {
                panic!("{text}: {diagnostics:?}");
            };
            assert!(diagnostic.contains(expected), "{text}: {diagnostic}");
        }
    }

    #[test]
    fn an_included_file_begins_with_no_listener_and_no_plugin() {
        let folder = tempfile::tempdir().unwrap();
        let more = folder.path().join("conf.d");
        fs::create_dir(&more).unwrap();
        fs::write(more.join("b.conf"), "plugin_opt_chain final\n").unwrap();
        fs::write(more.join("A.conf"), "use_username_as_clientid true\n").unwrap();
        let file = folder.path().join("m.conf");
        let text = format!(
            "listener 8883\nplugin /a.so\ninclude_dir {}\nplugin_opt_store /s",
            more.display()
        );
        fs::write(&file, text).unwrap();
        let config = BrokerConfig::read(&file).unwrap();
        let [diagnostic] = config.diagnostics.as_slice() else {
            panic!("{config:?}");
        };
        assert!(
            diagnostic
                .to_string()
                .contains("b.conf:1: `plugin_opt_chain` belongs to no plugin")
        );
        let opened: Vec<_> = config
            .listeners
            .iter()
            .map(|it| it.opened.clone())
            .collect();
        let setting = OpenedBy::BySetting("use_username_as_clientid".into());
        assert_eq!(opened, [OpenedBy::ByListener, setting]);
        assert_eq!(config.plugins.first().unwrap().option("store"), Some("/s"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever stands there, it is read to its end.
        #[test]
        fn anything_is_read(lines in proptest::collection::vec(
            "(listener|port|plugin|plugin_load|plugin_use|plugin_opt_store|protocol|connection|\
             per_listener_settings|acl_file|certfile|[a-z\\t ]{0,9})[ \\t]{0,2}[0-9a-z/#\\t\u{e9} -]{0,8}",
            0..30,
        )) {
            let config = read(&lines.join("\n"));
            for listener in &config.listeners {
                let _ = (config.asked(Some(listener)).count(), config.allows_anonymous(Some(listener)));
            }
        }
    }
}
