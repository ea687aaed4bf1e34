//! Certificates that stand for credentials.

use countersign_core::certificate::{CertificateRecord, Fingerprint, Validity};
use countersign_core::credential::CredentialId;
use countersign_core::store::StoreError;
use countersign_core::store::rows::CertificateRows;
use countersign_core::time::Timestamp;

use crate::error::Fault;
use crate::row_reader::RowReader;
use crate::sql::{Connection, Params, params};
use crate::transaction::PostgresTransaction;

impl CertificateRows for PostgresTransaction<'_> {
    fn certificate(
        &mut self,
        fingerprint: &Fingerprint,
    ) -> Result<Option<CertificateRecord>, StoreError> {
        self.run("look up a certificate", |connection| {
            certificate(connection, fingerprint)
        })
    }

    fn certificates_of(
        &mut self,
        credential: CredentialId,
    ) -> Result<Vec<CertificateRecord>, StoreError> {
        self.run("list the certificates", |connection| {
            read(connection, OF_CREDENTIAL, [credential.0])
        })
    }

    fn add_certificate(&mut self, certificate: &CertificateRecord) -> Result<(), StoreError> {
        self.run("add a certificate", |connection| {
            add(connection, certificate)
        })
    }

    fn remove_certificate(&mut self, fingerprint: &Fingerprint) -> Result<bool, StoreError> {
        self.run("remove a certificate", |connection| {
            let removed = connection
                .prepare("DELETE FROM certificate WHERE fingerprint = $1")?
                .execute([&fingerprint.0])?;
            Ok(removed > 0)
        })
    }
}

/// The record of the certificate with this fingerprint.
pub(crate) fn certificate(
    connection: &Connection,
    fingerprint: &Fingerprint,
) -> Result<Option<CertificateRecord>, Fault> {
    Ok(read(connection, BY_FINGERPRINT, [&fingerprint.0])?.pop())
}

fn add(connection: &Connection, certificate: &CertificateRecord) -> Result<(), Fault> {
    let validity = certificate.validity;
    connection
        .prepare(
            "INSERT INTO certificate (fingerprint, credential, not_before, not_after, until,
                 added_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )?
        .insert_once(
            params![
                certificate.fingerprint.0,
                certificate.credential.0,
                validity.map(|it| it.not_before.as_millis()),
                validity.map(|it| it.not_after.as_millis()),
                certificate.until.map(Timestamp::as_millis),
                certificate.added_at.as_millis(),
            ],
            "a certificate",
        )?;
    Ok(())
}

fn read(
    connection: &Connection,
    sql: &str,
    values: impl Params,
) -> Result<Vec<CertificateRecord>, Fault> {
    let statement = connection.prepare(sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = &mut RowReader::of(row);
        found.push(CertificateRecord {
            fingerprint: Fingerprint(columns.hash()?),
            credential: CredentialId(columns.number()?),
            validity: match (columns.maybe_instant()?, columns.maybe_instant()?) {
                (Some(not_before), Some(not_after)) => Some(Validity {
                    not_before,
                    not_after,
                }),
                (None, None) => None,
                (Some(_), None) | (None, Some(_)) => return Err(columns.nonsense()),
            },
            until: columns.maybe_instant()?,
            added_at: columns.instant()?,
        });
    }
    Ok(found)
}

macro_rules! certificate_columns {
    () => {
        "SELECT fingerprint, credential, not_before, not_after, until, added_at FROM certificate"
    };
}

const BY_FINGERPRINT: &str = concat!(certificate_columns!(), " WHERE fingerprint = $1");
const OF_CREDENTIAL: &str = concat!(
    certificate_columns!(),
    " WHERE credential = $1 ORDER BY added_at, fingerprint"
);
