//! Worlds without a file: what rehearsals copy, and how they tell whether two worlds are the same.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, MAIN_DB};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use super::{Sandbox, SandboxError, check_format, ledger, stored_spec};
use crate::spec::WorldSpec;

/// Where the header of a database says that it has a write-ahead log, which memory has not.
const LOG_FLAGS: std::ops::Range<usize> = 18..20;

/// Documents that nothing of what comes depends on but whose keys they are: temporary credentials.
/// Those are fetched anew by whoever needs them.
const SESSIONS: &str = "kind = '_people/key' AND json_extract(document, '$.session') IS NOT NULL";

impl Sandbox {
    /// A new world without a file; its clock starts at `start`.
    ///
    /// # Errors
    /// When the world cannot be made.
    pub fn in_memory(spec: &WorldSpec, start: OffsetDateTime) -> Result<Self, SandboxError> {
        Self::over(Connection::open_in_memory()?, spec, start)
    }

    /// A world without a file, as another one was when [`Sandbox::image`] was taken of it.
    ///
    /// # Errors
    /// When the bytes are no world of this version.
    pub fn from_image(image: &[u8]) -> Result<Self, SandboxError> {
        let mut bytes = image.to_vec();
        if let Some(flags) = bytes.get_mut(LOG_FLAGS) {
            flags.fill(1);
        }
        let mut connection = Connection::open_in_memory()?;
        connection.deserialize_read_exact(MAIN_DB, bytes.as_slice(), bytes.len(), false)?;
        connection.pragma_update(None, "journal_mode", "MEMORY")?;
        let sandbox = Self::of_connection(connection);
        let spec = sandbox.transact(|transaction| {
            check_format(transaction)?;
            ledger::upgrade(transaction)?;
            stored_spec(transaction)
        })?;
        Ok(sandbox.with_settings_of(&spec))
    }

    /// The same world, in which a call takes no time: the clock moves by waiting alone.
    #[must_use]
    pub fn instant(mut self) -> Self {
        self.settings.latency = Duration::ZERO;
        self
    }

    /// Everything it holds, as the bytes of a database.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn image(&self) -> Result<Vec<u8>, SandboxError> {
        Ok(self.lock().serialize(MAIN_DB)?.to_vec())
    }

    /// A digest of everything that what comes can depend on: two worlds with the same one answer the
    /// same calls alike, now and later, CloudTrail's aside. It covers documents, history, what is
    /// arranged, the numbers given out, the rows of warehouses and the clock. Left out are the call log,
    /// answers kept for repeated tokens, and temporary credentials with their numbers.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn fingerprint(&self) -> Result<[u8; 32], SandboxError> {
        let connection = &*self.lock();
        let mut hash = Sha256::new();
        for query in [
            &format!(
                "SELECT account, region, kind, id, document FROM documents
                 WHERE NOT ({SESSIONS}) ORDER BY account, region, kind, id"
            ),
            "SELECT name, value FROM sequences WHERE name <> 'session' ORDER BY name",
            "SELECT at, service, account, region, event FROM due ORDER BY at, id",
            "SELECT account, region, kind, record FROM history ORDER BY position",
            "SELECT name, value FROM meta ORDER BY name",
        ] {
            add(&mut hash, connection, query)?;
        }
        let tables: Vec<String> = connection
            .prepare_cached(
                "SELECT name FROM sqlite_master
                 WHERE type = 'table' AND substr(name, 1, 3) = 'wh/' ORDER BY name",
            )?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for table in tables {
            hash.update(table.as_bytes());
            let quoted = table.replace('"', "\"\"");
            add(&mut hash, connection, &format!("SELECT * FROM \"{quoted}\" ORDER BY rowid"))?;
        }
        Ok(hash.finalize().into())
    }
}

/// Adds the rows of a query, each value with its type and length.
fn add(hash: &mut Sha256, connection: &Connection, query: &str) -> Result<(), SandboxError> {
    let mut statement = connection.prepare_cached(query)?;
    let width = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..width {
            match row.get_ref(column)? {
                ValueRef::Null => hash.update([0]),
                ValueRef::Integer(number) => {
                    hash.update([1]);
                    hash.update(number.to_be_bytes());
                }
                ValueRef::Real(number) => {
                    hash.update([2]);
                    hash.update(number.to_be_bytes());
                }
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                    hash.update([3]);
                    hash.update((bytes.len() as u64).to_be_bytes());
                    hash.update(bytes);
                }
            }
        }
    }
    hash.update([4]);
    Ok(())
}
