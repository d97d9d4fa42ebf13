//! Opens the folder of keys that the arguments name.

use super::cli::Local;
use super::exit::{Exit, Failure};
use super::password;
use super::store::Store;

/// Unlocks the keys, or sets a password for a new folder.
pub(super) fn open_store(local: &Local) -> Result<Store, Failure> {
    let folder = local.data_dir.clone().or_else(Store::default_folder);
    let folder =
        folder.ok_or_else(|| Failure::new(Exit::Usage, "no home folder: give --data-dir DIR"))?;
    let password = password::read(local.password_file.as_deref(), !Store::exists(&folder))?;
    Store::open(&folder, &password).map_err(|e| {
        let exit = if e.is_wrong_password() { Exit::Keystore } else { Exit::Other };
        Failure::new(exit, format_args!("the keys cannot be opened: {e}"))
    })
}

/// Opens the store, but makes none: a command that only reads must not leave an empty keystore
/// behind.
pub(super) fn open_existing(local: &Local) -> Result<Store, Failure> {
    let folder = local.data_dir.clone().or_else(Store::default_folder);
    match folder {
        Some(folder) if !Store::exists(&folder) => Err(Failure::new(
            Exit::Keystore,
            format_args!("there are no wallets in {} yet", folder.display()),
        )),
        _ => open_store(local),
    }
}
