//! Keys and settings in IndexedDB: the same sealed envelopes that the command line stores in files.
//!
//! Object stores: `keystore`, `identity` and `contacts` (one envelope each), `wallets` and
//! `unconfirmed` (an envelope for each group key), `evidence` (by hash), `trail` (entries of audit
//! logs, by group key and number) and `heads` (by group key), `settings`. Writes ask for strict
//! durability: they are on disk when they are answered.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Event, IdbDatabase, IdbFactory, IdbKeyRange, IdbObjectStore, IdbOpenDbRequest, IdbRequest,
    IdbTransaction,
};

use super::text_of;
use crate::keystore::Kind;

const DATABASE: &str = "frostmesh";
/// Version 1 had no identity, contacts and evidence, version 2 no audit logs.
const VERSION: u32 = 3;
const SETTINGS: &str = "settings";
const STORES: [&str; 9] = [
    "keystore",
    "wallets",
    "unconfirmed",
    "identity",
    "contacts",
    "evidence",
    "trail",
    "heads",
    SETTINGS,
];

fn store_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Keystore => "keystore",
        Kind::Wallet => "wallets",
        Kind::Unconfirmed => "unconfirmed",
        Kind::Identity => "identity",
        Kind::Contacts => "contacts",
        Kind::Evidence => "evidence",
        Kind::Entry => "trail",
        Kind::Head => "heads",
        Kind::Settings => SETTINGS,
    }
}

/// An entry of an audit log and its new head that are to be stored, sealed, or why they could not
/// be sealed.
pub(super) struct Writing {
    pub pubkey: String,
    pub number: u64,
    pub sealed: Result<(Vec<u8>, Vec<u8>), String>,
}

/// The database, open.
pub struct Store {
    database: IdbDatabase,
}

impl Store {
    /// Opens the database, and makes it at first.
    ///
    /// # Errors
    /// The browser stores no data here.
    pub async fn open() -> Result<Self, String> {
        let open = || -> Result<IdbOpenDbRequest, JsValue> {
            let factory: IdbFactory =
                Reflect::get(&js_sys::global(), &"indexedDB".into())?.dyn_into()?;
            factory.open_with_u32(DATABASE, VERSION)
        };
        let request = open().map_err(|e| text_of(&e))?;
        let upgraded = request.clone();
        let upgrade = Closure::once(move |_: Event| {
            if let Ok(database) = upgraded.result().and_then(JsCast::dyn_into::<IdbDatabase>) {
                for name in STORES {
                    let _ = database.create_object_store(name); // refused where an older version made it: it stays
                }
            }
        });
        request.set_onupgradeneeded(Some(upgrade.as_ref().unchecked_ref()));
        let database = finished(&request).await?;
        request.set_onupgradeneeded(None);
        Ok(Self { database: database.unchecked_into() })
    }

    /// The envelope of a kind that there is only one of, if it was made: the keystore, the
    /// identity, the contacts.
    ///
    /// # Errors
    /// The browser's.
    pub async fn only(&self, kind: Kind) -> Result<Option<Vec<u8>>, String> {
        self.envelope(kind, store_of(kind)).await
    }

    /// Stores the only envelope of a kind.
    ///
    /// # Errors
    /// There is one already, or the browser's.
    pub async fn create(&self, kind: Kind, envelope: &[u8]) -> Result<(), String> {
        let (value, name) = (Uint8Array::from(envelope), store_of(kind));
        self.write(&[name], |stores| stores[0].add_with_key(&value, &name.into()).map(drop)).await
    }

    /// Replaces the only envelope of a kind.
    ///
    /// # Errors
    /// The browser's.
    pub async fn replace(&self, kind: Kind, envelope: &[u8]) -> Result<(), String> {
        self.put(kind, store_of(kind), envelope).await
    }

    /// Stores an envelope under its name: a group key, or the hash of a piece of evidence.
    ///
    /// # Errors
    /// The browser's.
    pub async fn put(&self, kind: Kind, name: &str, envelope: &[u8]) -> Result<(), String> {
        let value = Uint8Array::from(envelope);
        self.write(&[store_of(kind)], |stores| {
            stores[0].put_with_key(&value, &name.into()).map(drop)
        })
        .await
    }

    /// Stores the wallet's envelope and removes the unconfirmed one, both or neither.
    ///
    /// # Errors
    /// The browser's.
    pub async fn confirm(&self, pubkey: &str, envelope: &[u8]) -> Result<(), String> {
        let value = Uint8Array::from(envelope);
        self.write(&[store_of(Kind::Wallet), store_of(Kind::Unconfirmed)], |stores| {
            stores[0].put_with_key(&value, &pubkey.into())?;
            stores[1].delete(&pubkey.into()).map(drop)
        })
        .await
    }

    /// Stores an entry of a wallet's audit log and its new head, both or neither.
    ///
    /// # Errors
    /// There is an entry of that number already: another window writes the same log. Or the
    /// browser's.
    pub async fn store_entry(
        &self,
        pubkey: &str,
        number: u64,
        entry: &[u8],
        head: &[u8],
    ) -> Result<(), String> {
        let (entry, head) = (Uint8Array::from(entry), Uint8Array::from(head));
        self.write(&[store_of(Kind::Entry), store_of(Kind::Head)], |stores| {
            stores[0].add_with_key(&entry, &format!("{pubkey}/{number:016}").into())?;
            stores[1].put_with_key(&head, &pubkey.into()).map(drop)
        })
        .await
    }

    /// The entries of a wallet's audit log, in order.
    ///
    /// # Errors
    /// The browser's.
    pub async fn trail(&self, pubkey: &str) -> Result<Vec<Vec<u8>>, String> {
        // '0' follows '/' in ASCII.
        let range = IdbKeyRange::bound(&format!("{pubkey}/").into(), &format!("{pubkey}0").into());
        let store = self.read(store_of(Kind::Entry))?;
        let request = range.and_then(|range| store.get_all_with_key(&range));
        let list = finished(&request.map_err(|e| text_of(&e))?).await?;
        Ok(Array::from(&list).iter().filter_map(bytes).collect())
    }

    /// An envelope.
    ///
    /// # Errors
    /// The browser's.
    pub async fn envelope(&self, kind: Kind, name: &str) -> Result<Option<Vec<u8>>, String> {
        self.get(store_of(kind), name).await.map(bytes)
    }

    /// All envelopes of a kind.
    ///
    /// # Errors
    /// The browser's.
    pub async fn all(&self, kind: Kind) -> Result<Vec<Vec<u8>>, String> {
        let store = self.read(store_of(kind))?;
        let list = finished(&store.get_all().map_err(|e| text_of(&e))?).await?;
        Ok(Array::from(&list).iter().filter_map(bytes).collect())
    }

    /// A setting, as text.
    ///
    /// # Errors
    /// The browser's.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, String> {
        self.get(SETTINGS, name).await.map(|value| value.as_string())
    }

    /// Stores a setting.
    ///
    /// # Errors
    /// The browser's.
    pub async fn set_setting(&self, name: &str, value: &str) -> Result<(), String> {
        self.write(&[SETTINGS], |stores| {
            stores[0].put_with_key(&value.into(), &name.into()).map(drop)
        })
        .await
    }

    fn read(&self, store: &str) -> Result<IdbObjectStore, String> {
        let transaction = self.database.transaction_with_str(store);
        transaction.and_then(|t| t.object_store(store)).map_err(|e| text_of(&e))
    }

    async fn get(&self, store: &str, key: &str) -> Result<JsValue, String> {
        let request = self.read(store)?.get(&key.into()).map_err(|e| text_of(&e))?;
        finished(&request).await
    }

    /// One durable transaction over some stores.
    async fn write(
        &self,
        names: &[&str],
        change: impl FnOnce(&[IdbObjectStore]) -> Result<(), JsValue>,
    ) -> Result<(), String> {
        let begin = || -> Result<IdbTransaction, JsValue> {
            let list: Array = names.iter().map(|name| JsValue::from_str(name)).collect();
            // web-sys counts the options as unstable, though browsers have had them for years:
            // called by name.
            let options = Object::new();
            Reflect::set(&options, &"durability".into(), &"strict".into())?;
            let method: Function =
                Reflect::get(&self.database, &"transaction".into())?.dyn_into()?;
            let transaction = method.call3(&self.database, &list, &"readwrite".into(), &options)?;
            let transaction: IdbTransaction = transaction.dyn_into()?;
            let stores: Result<Vec<_>, _> =
                names.iter().map(|name| transaction.object_store(name)).collect();
            change(&stores?)?;
            Ok(transaction)
        };
        let transaction = begin().map_err(|e| text_of(&e))?;
        let outcome = Outcome::new();
        let (done, failed) = (outcome.resolver(), outcome.rejecter());
        transaction.set_oncomplete(Some(done.as_ref().unchecked_ref()));
        transaction.set_onabort(Some(failed.as_ref().unchecked_ref()));
        let result = outcome.wait().await;
        transaction.set_oncomplete(None);
        transaction.set_onabort(None);
        result.map(drop).map_err(|_| match transaction.error() {
            Some(error) => error.message(),
            None => "the browser did not keep the data".to_owned(),
        })
    }
}

/// A promise that callbacks settle.
struct Outcome {
    promise: Promise,
    settle: Rc<RefCell<Option<(Function, Function)>>>,
}

impl Outcome {
    fn new() -> Self {
        let settle = Rc::new(RefCell::new(None));
        let kept = settle.clone();
        let promise =
            Promise::new(&mut |resolve, reject| *kept.borrow_mut() = Some((resolve, reject)));
        Self { promise, settle }
    }

    fn resolver(&self) -> Closure<dyn FnMut(Event)> {
        let settle = self.settle.clone();
        Closure::new(move |_| {
            if let Some((resolve, _)) = &*settle.borrow() {
                let _ = resolve.call0(&JsValue::NULL);
            }
        })
    }

    fn rejecter(&self) -> Closure<dyn FnMut(Event)> {
        let settle = self.settle.clone();
        Closure::new(move |_| {
            if let Some((_, reject)) = &*settle.borrow() {
                let _ = reject.call0(&JsValue::NULL);
            }
        })
    }

    async fn wait(&self) -> Result<JsValue, JsValue> {
        JsFuture::from(self.promise.clone()).await
    }
}

/// Waits for a request, and gives its result.
async fn finished(request: &IdbRequest) -> Result<JsValue, String> {
    let outcome = Outcome::new();
    let (done, failed) = (outcome.resolver(), outcome.rejecter());
    request.set_onsuccess(Some(done.as_ref().unchecked_ref()));
    request.set_onerror(Some(failed.as_ref().unchecked_ref()));
    let result = outcome.wait().await;
    request.set_onsuccess(None);
    request.set_onerror(None);
    match result {
        Ok(_) => request.result().map_err(|e| text_of(&e)),
        Err(_) => Err(request
            .error()
            .ok()
            .flatten()
            .map_or_else(|| "the browser keeps no data here".to_owned(), |e| e.message())),
    }
}

fn bytes(value: JsValue) -> Option<Vec<u8>> {
    value.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec)
}
