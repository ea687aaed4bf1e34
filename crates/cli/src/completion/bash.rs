//! What `bash` loads.
//!
//! Bash puts a candidate into the line as it is. A name may hold what a shell
//! would run (`$(reboot)`), so the script quotes each, where clap's own does not.

use std::ffi::OsString;
use std::io::{Error, Write};
use std::path::Path;

use clap::Command;
use clap_complete::engine::complete;
use clap_complete::env::EnvCompleter;

/// Bash, 4.4 or newer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        "bash"
    }

    fn is(&self, name: &str) -> bool {
        name == "bash"
    }

    fn write_registration(
        &self,
        variable: &str,
        name: &str,
        program: &str,
        completer: &str,
        script: &mut dyn Write,
    ) -> Result<(), Error> {
        let text = SCRIPT
            .replace("VARIABLE", variable)
            .replace("NAME", name)
            .replace("COMPLETER", completer)
            .replace("PROGRAM", program);
        script.write_all(text.as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut Command,
        words: Vec<OsString>,
        folder: Option<&Path>,
        answer: &mut dyn Write,
    ) -> Result<(), Error> {
        let last = words.len().saturating_sub(1);
        for candidate in complete(command, words, last, folder)? {
            let value = candidate.get_value().to_string_lossy();
            // A name has no control characters; a file may.
            if !value.contains(char::is_control) {
                writeln!(answer, "{value}")?;
            }
        }
        Ok(())
    }
}

/// Bash cuts words at `@`, `:` and `=` too; they are put together again for the
/// program, and what stands before bash's own word is taken off what it answers.
/// Behind a quote that is open, a candidate that needs quotes of its own is left
/// out.
const SCRIPT: &str = r#"_NAME() {
    local rest=$COMP_LINE cut= words=() word index kept quoted candidate candidates
    for ((index = 0; index <= COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        if [[ ${rest:0:1} != [[:space:]] && ( $cut || $word == [@:=]* ) && ${#words[@]} -gt 0 ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
        rest=${rest#*"$word"}
        [[ $word == *[@:=] ]] && cut=1 || cut=
    done
    word=${words[-1]}
    kept=${word%"$2"}
    mapfile -t candidates < <(VARIABLE=bash "COMPLETER" -- "${words[@]#[\'\"]}" 2>/dev/null)
    COMPREPLY=()
    for candidate in "${candidates[@]}"; do
        printf -v quoted %q "${candidate#"${kept#[\'\"]}"}"
        if [[ $word != [\'\"]* ]]; then
            COMPREPLY+=("$quoted")
        elif [[ $candidate == *"$quoted" ]]; then
            COMPREPLY+=("$quoted")
        fi
    done
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]] && compopt -o nospace
}
complete -o bashdefault -o default -o nosort -F _NAME PROGRAM
"#;
