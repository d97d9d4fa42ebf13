//! The interface to JavaScript: one class that takes commands and publishes snapshots.

use std::rc::Rc;

use js_sys::Function;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::command::UiCommand;
use super::driver::{Driver, now};
use super::fatal;
use super::store::Store;
use super::to_js;
use crate::api::{Command, ConnectionState, Error, ErrorCode, KeystoreCommand, Refusal};
use crate::identity::Invite;
use crate::keystore::{KdfParams, Keystore, Kind};
use crate::random::SystemRng;
use crate::wire::{PeerId, SessionId};

/// Name of the setting with the last server and peer id, as JSON, and whether to connect to it
/// after unlocking.
const CONNECTION: &str = "connection";

/// That setting.
#[derive(serde::Serialize, serde::Deserialize)]
struct Remembered {
    server_url: String,
    peer_id: String,
    connect: bool,
}

/// A node in this document.
#[wasm_bindgen]
pub struct Frostmesh {
    driver: Rc<Driver>,
}

#[wasm_bindgen]
impl Frostmesh {
    /// Opens the stored keystore and settings, and calls `on_snapshot` at once and on every change.
    ///
    /// # Errors
    /// The browser stores no data here.
    pub async fn open(on_snapshot: Function) -> Result<Frostmesh, JsValue> {
        fatal::report_to(&on_snapshot);
        let store = Store::open().await.map_err(Refusal::storage)?;
        let exists = store.only(Kind::Keystore).await.map_err(Refusal::storage)?.is_some();
        let remembered = remembered(&store).await.map(|r| (r.server_url, r.peer_id));
        Ok(Self { driver: Driver::start(store, exists, remembered, on_snapshot) })
    }

    /// The current snapshot.
    #[must_use]
    pub fn snapshot(&self) -> JsValue {
        self.driver.snapshot()
    }

    /// Carries out a command, a plain object with a `type`.
    ///
    /// # Errors
    /// An `Error` with a `code`.
    pub async fn command(&self, command: JsValue) -> Result<JsValue, JsValue> {
        let driver = self.driver.clone();
        let command = UiCommand::read(&command, &driver)?;
        Ok(run(&driver, command).await?)
    }
}

async fn remembered(store: &Store) -> Option<Remembered> {
    serde_json::from_str(&store.setting(CONNECTION).await.ok()??).ok()
}

async fn run(driver: &Rc<Driver>, command: UiCommand) -> Result<JsValue, Refusal> {
    match command {
        UiCommand::Keystore(command) => keystore(driver, command).await?,
        UiCommand::Node(Command::Connect { server_url, peer_id }) => {
            connect(driver, server_url, peer_id).await?;
        }
        UiCommand::Node(Command::Disconnect) => {
            driver.command(Command::Disconnect)?;
            if let Some((server_url, peer_id)) = driver.remembered() {
                remember(driver, server_url, peer_id, false).await?;
            }
        }
        UiCommand::Node(Command::JoinInvite { invite, peer_id }) => {
            join_invite(driver, invite, peer_id).await?;
        }
        UiCommand::Node(command) => {
            let session_id = match &command {
                Command::Propose { session_id, .. } => Some(session_id.clone()),
                _ => None,
            };
            driver.command(command)?;
            return Ok(session_id.map_or(JsValue::NULL, |id| to_js(&Proposed { session_id: id })));
        }
    }
    Ok(JsValue::NULL)
}

/// The result of a proposal.
#[derive(serde::Serialize)]
struct Proposed {
    session_id: SessionId,
}

async fn keystore(driver: &Rc<Driver>, command: KeystoreCommand) -> Result<(), Refusal> {
    match command {
        KeystoreCommand::SetPassword { password } => {
            let keystore = Keystore::create(&password, KdfParams::default(), &mut SystemRng)?;
            let envelope = keystore.envelope(&mut SystemRng)?;
            driver.store.create(Kind::Keystore, &envelope).await.map_err(Refusal::storage)?;
            driver.unlocked(keystore).await?;
        }
        KeystoreCommand::Unlock { password } => {
            let envelope = driver.store.only(Kind::Keystore).await.map_err(Refusal::storage)?;
            let none = || Refusal::new(ErrorCode::Locked, "no password has been set yet");
            let envelope = envelope.ok_or_else(none)?;
            let keystore = Keystore::unlock(&envelope, &password)?;
            keystore.open(Kind::Keystore, &envelope)?;
            driver.unlocked(keystore).await?;
            if let Some(last) = remembered(&driver.store).await.filter(|last| last.connect) {
                open_server(driver, last.server_url, peer_id(&last.peer_id)?)?;
            }
        }
        KeystoreCommand::Lock => driver.lock(),
    }
    Ok(())
}

/// Takes part by an invite: connects to its server first, unless this node is there already.
async fn join_invite(
    driver: &Rc<Driver>,
    invite: Box<Invite>,
    wanted: Option<PeerId>,
) -> Result<(), Refusal> {
    // Otherwise it would leave its server, and the sessions there, for nothing.
    if invite.has_expired(now().millis()) {
        return Err(Error::Invite("the invite has expired: ask for a new one").into());
    }
    let here = driver.view().connection;
    let server_url = invite.server_url.clone();
    let stays = here.state != ConnectionState::Offline
        && here.server_url.as_ref() == Some(&server_url)
        && (wanted.is_none() || wanted == here.peer_id);
    if !stays {
        let peer_id = match wanted.or(here.peer_id) {
            Some(peer_id) => peer_id,
            None => peer_id(&random_name())?,
        };
        connect(driver, server_url, peer_id).await?;
    }
    driver.command(Command::JoinInvite { invite, peer_id: None })
}

/// A peer id for a person who chose none.
fn random_name() -> String {
    let random = SessionId::random(&mut SystemRng);
    format!("node-{}", random.as_str().get(..8).unwrap_or_default())
}

fn peer_id(text: &str) -> Result<PeerId, Refusal> {
    text.parse().map_err(|error| Refusal::new(ErrorCode::BadPeerId, error))
}

/// Connects to a signaling server, and remembers that.
async fn connect(driver: &Rc<Driver>, server_url: String, peer_id: PeerId) -> Result<(), Refusal> {
    open_server(driver, server_url.clone(), peer_id.clone())?;
    remember(driver, server_url, peer_id.as_str().to_owned(), true).await
}

fn open_server(driver: &Rc<Driver>, server_url: String, peer_id: PeerId) -> Result<(), Refusal> {
    let rest = server_url.strip_prefix("ws://").or_else(|| server_url.strip_prefix("wss://"));
    if rest.is_none_or(str::is_empty) {
        let text = format!("{server_url} is no signaling server: use ws://HOST:PORT or wss://HOST");
        return Err(Refusal::new(ErrorCode::BadServerUrl, text));
    }
    driver.command(Command::Connect { server_url, peer_id })
}

async fn remember(
    driver: &Rc<Driver>,
    server_url: String,
    peer_id: String,
    connect: bool,
) -> Result<(), Refusal> {
    driver.remember(server_url.clone(), peer_id.clone());
    let value = serde_json::to_string(&Remembered { server_url, peer_id, connect });
    let value = value.map_err(|e| Refusal::new(ErrorCode::Internal, e))?;
    driver.store.set_setting(CONNECTION, &value).await.map_err(Refusal::storage)
}
