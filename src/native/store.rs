//! Keys on disk: one owner-only file an envelope, written whole or not at all.
//!
//! ```text
//! DATA_DIR/keystore             proves the password
//! DATA_DIR/wallets/PUBKEY       keys that all participants confirmed
//! DATA_DIR/unconfirmed/PUBKEY   keys that not all have confirmed; never used
//! DATA_DIR/identity             this node's identity
//! DATA_DIR/contacts             its contacts
//! DATA_DIR/evidence/ID          proofs of misbehaviour, signed by the participants themselves
//! DATA_DIR/trail/PUBKEY/NUMBER  the entries of a wallet's audit log
//! DATA_DIR/heads/PUBKEY         the head of that log
//! DATA_DIR/server               the signaling server that was used last
//! DATA_DIR/lock                 empty; held by the node that uses the wallets
//! DATA_DIR/control              the socket over which other commands use that node
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::agreement::{Certificate, Evidence, package_hash};
use crate::audit::{Entry, Head};
use crate::identity::{Contacts, IdentityKey};
use crate::keystore::{KdfParams, Keystore, KeystoreError, Kind, WalletInfo, WalletRecord};
use crate::node::StoredWallet;
use crate::random::SystemRng;

/// An unlocked folder of keys.
pub struct Store {
    folder: PathBuf,
    keystore: Keystore,
}

/// The contents of files, by their names, and the errors of files that cannot be opened.
pub type Found<T> = (Vec<(String, T)>, Vec<StoreError>);

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk's fault.
    #[error("{}: {}", .0.display(), .1)]
    Io(PathBuf, io::Error),
    /// The envelope's.
    #[error("{}: {}", .0.display(), .1)]
    Keystore(PathBuf, KeystoreError),
}

impl StoreError {
    /// Whether the password was wrong.
    #[must_use]
    pub fn is_wrong_password(&self) -> bool {
        matches!(self, Self::Keystore(_, KeystoreError::WrongPassword))
    }
}

const KEYSTORE: &str = "keystore";
const IDENTITY: &str = "identity";
const CONTACTS: &str = "contacts";
const SERVER: &str = "server";

fn folder_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Keystore | Kind::Identity | Kind::Contacts | Kind::Settings => "",
        Kind::Wallet => "wallets",
        Kind::Unconfirmed => "unconfirmed",
        Kind::Evidence => "evidence",
        Kind::Entry => "trail",
        Kind::Head => "heads",
    }
}

impl Store {
    /// The folder that is used when none is named.
    #[must_use]
    pub fn default_folder() -> Option<PathBuf> {
        let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
        data.or_else(|| Some(std::env::home_dir()?.join(".local/share")))
            .map(|p| p.join("frostmesh"))
    }

    /// Whether a folder holds a keystore.
    #[must_use]
    pub fn exists(folder: &Path) -> bool {
        folder.join(KEYSTORE).exists()
    }

    /// Unlocks the keystore of a folder, or makes one.
    ///
    /// # Errors
    /// A wrong password, a damaged file, or the disk's.
    pub fn open(folder: &Path, password: &str) -> Result<Self, StoreError> {
        let path = folder.join(KEYSTORE);
        if !path.exists() {
            Self::create(folder, password)?;
        }
        let envelope = read(&path)?;
        let keystore = Keystore::unlock(&envelope, password)
            .map_err(|e| StoreError::Keystore(path.clone(), e))?;
        keystore.open(Kind::Keystore, &envelope).map_err(|e| StoreError::Keystore(path, e))?;
        Ok(Self { folder: folder.to_owned(), keystore })
    }

    /// Makes a keystore. One that another process made in the meantime stays.
    fn create(folder: &Path, password: &str) -> Result<(), StoreError> {
        for sub in ["", folder_of(Kind::Wallet), folder_of(Kind::Unconfirmed)] {
            make_folder(&folder.join(sub))?;
        }
        let path = folder.join(KEYSTORE);
        let failed = |e| StoreError::Keystore(path.clone(), e);
        let keystore =
            Keystore::create(password, KdfParams::default(), &mut SystemRng).map_err(failed)?;
        create(folder, &path, &keystore.envelope(&mut SystemRng).map_err(failed)?)
    }

    /// This node's identity. Made the first time.
    ///
    /// # Errors
    /// A damaged file, or the disk's.
    pub fn identity(&self) -> Result<IdentityKey, StoreError> {
        let path = self.folder.join(IDENTITY);
        let failed = |e| StoreError::Keystore(path.clone(), e);
        if !path.exists() {
            let envelope =
                self.keystore.seal_identity(&IdentityKey::generate(&mut SystemRng), &mut SystemRng);
            create(&self.folder, &path, &envelope.map_err(failed)?)?;
        }
        self.keystore.open_identity(&read(&path)?).map_err(failed)
    }

    /// This node's contacts.
    ///
    /// # Errors
    /// A damaged file, or the disk's.
    pub fn contacts(&self) -> Result<Contacts, StoreError> {
        if self.folder.join(CONTACTS).exists() {
            self.load(Kind::Contacts, CONTACTS)
        } else {
            Ok(Contacts::default())
        }
    }

    /// Stores the contacts in place of the earlier ones. On disk when this returns.
    ///
    /// # Errors
    /// The disk's.
    pub fn store_contacts(&self, contacts: &Contacts) -> Result<(), StoreError> {
        self.write(Kind::Contacts, CONTACTS, contacts)
    }

    /// Stores evidence. On disk when this returns.
    ///
    /// # Errors
    /// The disk's.
    pub fn store_evidence(&self, evidence: &Evidence) -> Result<(), StoreError> {
        let text = serde_json::to_vec(evidence).unwrap_or_default();
        self.write(Kind::Evidence, &hex::encode(&package_hash(&text)[..8]), evidence)
    }

    /// All evidence, by the names of its files, and every file that cannot be opened.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn evidence(&self) -> Result<Found<Evidence>, StoreError> {
        self.all(Kind::Evidence)
    }

    /// Stores a key that is not confirmed yet. On disk when this returns.
    ///
    /// # Errors
    /// The disk's.
    pub fn store_unconfirmed(&self, record: &WalletRecord) -> Result<(), StoreError> {
        self.write(Kind::Unconfirmed, &record.info.pubkey, record)
    }

    /// Makes an unconfirmed key a wallet, with the certificate of how it was made if there is one.
    ///
    /// # Errors
    /// There is no such key, or the disk's.
    pub fn confirm(
        &self,
        pubkey: &str,
        certificate: Option<Box<Certificate>>,
    ) -> Result<(), StoreError> {
        let record = WalletRecord { certificate, ..self.wallet(Kind::Unconfirmed, pubkey)? };
        self.write(Kind::Wallet, pubkey, &record)?;
        let path = self.path(Kind::Unconfirmed, pubkey);
        fs::remove_file(&path).map_err(|e| StoreError::Io(path, e))?;
        sync_folder(&self.folder.join(folder_of(Kind::Unconfirmed)))
    }

    /// Stores an entry of a wallet's audit log, and then its new head. On disk when this returns.
    ///
    /// # Errors
    /// The disk's.
    pub fn store_entry(&self, pubkey: &str, entry: &Entry, head: &Head) -> Result<(), StoreError> {
        self.write(Kind::Entry, &format!("{pubkey}/{:016}", entry.number), entry)?;
        self.write(Kind::Head, pubkey, head)
    }

    /// The audit log of a wallet: its entries in order, and its head. They are not verified.
    ///
    /// # Errors
    /// A damaged file, or the disk's.
    pub fn trail(&self, pubkey: &str) -> Result<(Vec<Entry>, Option<Head>), StoreError> {
        let folder = self.path(Kind::Entry, pubkey);
        let mut names = match fs::read_dir(&folder) {
            Ok(entries) => {
                entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect()
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(StoreError::Io(folder, e)),
        };
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        let entries = names.iter().map(|name| self.load(Kind::Entry, &format!("{pubkey}/{name}")));
        let entries = entries.collect::<Result<_, _>>()?;
        let head = self
            .path(Kind::Head, pubkey)
            .exists()
            .then(|| self.load(Kind::Head, pubkey))
            .transpose()?;
        Ok((entries, head))
    }

    /// Loads a wallet with its audit log, for a node.
    ///
    /// # Errors
    /// There is no such wallet, a damaged file, or the disk's.
    pub fn load_wallet(&self, pubkey: &str) -> Result<StoredWallet, StoreError> {
        let record = self.wallet(Kind::Wallet, pubkey)?;
        let (trail, head) = self.trail(pubkey)?;
        Ok(StoredWallet { record, trail, head })
    }

    /// Locks the folder for one node: two would write the audit logs at once. Locked until the file
    /// is dropped.
    ///
    /// # Errors
    /// The disk's. `None` while another process has it.
    pub fn lock(&self) -> Result<Option<File>, StoreError> {
        let path = self.folder.join("lock");
        let failed = |e| StoreError::Io(path.clone(), e);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(e)) => Err(failed(e)),
        }
    }

    /// The path of the control socket of the node that uses this folder.
    #[must_use]
    pub fn control(&self) -> PathBuf {
        self.folder.join("control")
    }

    /// The signaling server that was used last.
    #[must_use]
    pub fn last_server(&self) -> Option<String> {
        self.load(Kind::Settings, SERVER).ok()
    }

    /// Remembers the signaling server. It is no loss if that fails.
    pub fn remember_server(&self, url: &str) {
        if self.last_server().as_deref() != Some(url) {
            let _ = self.write(Kind::Settings, SERVER, &url);
        }
    }

    /// Every key of one kind, sorted by when it was made, and every file that cannot be opened.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self, kind: Kind) -> Result<(Vec<WalletInfo>, Vec<StoreError>), StoreError> {
        let (found, mut broken) = self.all::<WalletRecord>(kind)?;
        let mut infos = Vec::new();
        for (name, record) in found {
            match self.is_named(kind, &name, record) {
                Ok(record) => infos.push(record.info),
                Err(error) => broken.push(error),
            }
        }
        infos.sort_by(|a, b| (a.created, &a.pubkey).cmp(&(b.created, &b.pubkey)));
        Ok((infos, broken))
    }

    /// One key.
    ///
    /// # Errors
    /// There is none of that name, or it is damaged.
    pub fn wallet(&self, kind: Kind, pubkey: &str) -> Result<WalletRecord, StoreError> {
        let record = self.load(kind, pubkey)?;
        self.is_named(kind, pubkey, record)
    }

    fn is_named(
        &self,
        kind: Kind,
        pubkey: &str,
        record: WalletRecord,
    ) -> Result<WalletRecord, StoreError> {
        if record.info.pubkey == pubkey {
            return Ok(record);
        }
        let error = KeystoreError::Damaged("it holds another wallet than its name says");
        Err(StoreError::Keystore(self.path(kind, pubkey), error))
    }

    fn all<T: DeserializeOwned>(&self, kind: Kind) -> Result<Found<T>, StoreError> {
        let folder = self.folder.join(folder_of(kind));
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
            Err(e) => return Err(StoreError::Io(folder, e)),
        };
        let (mut found, mut broken) = (Vec::new(), Vec::new());
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                match self.load(kind, &name) {
                    Ok(record) => found.push((name, record)),
                    Err(error) => broken.push(error),
                }
            }
        }
        Ok((found, broken))
    }

    fn load<T: DeserializeOwned>(&self, kind: Kind, name: &str) -> Result<T, StoreError> {
        let path = self.path(kind, name);
        let envelope = read(&path)?;
        self.keystore.open_record(kind, &envelope).map_err(|e| StoreError::Keystore(path, e))
    }

    fn path(&self, kind: Kind, name: &str) -> PathBuf {
        self.folder.join(folder_of(kind)).join(name)
    }

    fn write(&self, kind: Kind, name: &str, record: &impl Serialize) -> Result<(), StoreError> {
        let path = self.path(kind, name);
        let folder = path.parent().unwrap_or(&self.folder).to_owned();
        make_folder(&folder)?;
        let envelope = self.keystore.seal_record(kind, record, &mut SystemRng);
        let envelope = envelope.map_err(|e| StoreError::Keystore(path.clone(), e))?;
        let temporary = write_temporary(&folder, &envelope)?;
        fs::rename(&temporary, &path).map_err(|e| StoreError::Io(path, e))?;
        sync_folder(&folder)
    }
}

/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 2 * 1024 * 1024;

fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    let failed = |e| StoreError::Io(path.to_owned(), e);
    if fs::metadata(path).map_err(failed)?.len() > MAX_FILE {
        return Err(StoreError::Keystore(
            path.to_owned(),
            KeystoreError::Damaged("it is larger than any wallet"),
        ));
    }
    fs::read(path).map_err(failed)
}

fn make_folder(path: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|e| StoreError::Io(path.to_owned(), e))
}

/// Writes bytes to a new owner-only file in `folder` and waits until they are on disk.
fn write_temporary(folder: &Path, bytes: &[u8]) -> Result<PathBuf, StoreError> {
    let mut name = [0; 8];
    rand_core::RngCore::fill_bytes(&mut SystemRng, &mut name);
    let path = folder.join(format!(".{}", hex::encode(name)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = |mut file: File| {
        file.write_all(bytes)?;
        file.sync_all()
    };
    match options.open(&path).and_then(write) {
        Ok(()) => Ok(path),
        Err(e) => {
            let _ = fs::remove_file(&path);
            Err(StoreError::Io(path, e))
        }
    }
}

/// Writes a file that must not be there yet. One that another process made in the meantime stays.
fn create(folder: &Path, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = write_temporary(folder, bytes)?;
    let linked = match fs::hard_link(&temporary, path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            Err(StoreError::Io(path.to_owned(), e))
        }
        _ => Ok(()),
    };
    let _ = fs::remove_file(&temporary);
    linked.and_then(|()| sync_folder(folder))
}

/// Makes a rename in `folder` durable.
fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    if cfg!(unix) {
        File::open(folder)
            .and_then(|f| f.sync_all())
            .map_err(|e| StoreError::Io(folder.to_owned(), e))?;
    }
    Ok(())
}
