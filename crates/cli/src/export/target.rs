//! `countersign export mosquitto` and `export dynamic-security`.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use countersign_admin::tenant::{ReadTenantRights, TenantRights};
use countersign_admin::transfer::RecordExport;
use countersign_core::name::TenantId;
use countersign_core::store::ExportScope;
use countersign_import::target::{dynamic_security_file, mosquitto_files};

use crate::error::CliError;
use crate::import::{Written, print_report};
use crate::invocation::{Invocation, now, run_on};
use crate::new_file::NewFile;

#[derive(Args, Debug)]
pub(crate) struct ExportMosquitto {
    /// The tenant.
    #[arg(long, value_name = "T", value_parser = TenantId::parse)]
    tenant: TenantId,
    /// The `password_file` to make.
    #[arg(long, value_name = "FILE")]
    passwords: PathBuf,
    /// The `acl_file` to make.
    #[arg(long, value_name = "FILE")]
    acl: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct ExportDynamicSecurity {
    /// The file to make.
    file: PathBuf,
    /// The tenant.
    #[arg(long, value_name = "T", value_parser = TenantId::parse)]
    tenant: TenantId,
}

impl ExportMosquitto {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let passwords = NewFile::create(&self.passwords)?;
        let acl = NewFile::create(&self.acl)?;
        let rights = read(invocation, self.tenant, "mosquitto")?;
        let files = mosquitto_files(&rights, now());
        passwords.file().write_all(files.passwords.as_bytes())?;
        acl.file().write_all(files.acl.as_bytes())?;
        passwords.keep()?;
        acl.keep()?;
        print_report(invocation.output, &files.report, Written::All)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl ExportDynamicSecurity {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let file = NewFile::create(&self.file)?;
        let rights = read(invocation, self.tenant, "dynamic-security")?;
        let written = dynamic_security_file(&rights, now())?;
        file.file().write_all(written.json.as_bytes())?;
        file.keep()?;
        print_report(invocation.output, &written.report, Written::All)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Has the audit take note, and reads what the tenant's principals may do.
fn read(
    invocation: &Invocation,
    tenant: TenantId,
    form: &'static str,
) -> Result<TenantRights, CliError> {
    let record = RecordExport {
        scope: ExportScope {
            tenant: Some(tenant.clone()),
            with_sealed: false,
        },
        form,
    };
    invocation.with_store(|mut store| {
        run_on(&mut store, &record)?;
        run_on(&mut store, &ReadTenantRights(tenant))
    })
}
