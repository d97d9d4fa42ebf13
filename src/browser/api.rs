//! What JavaScript sees: one class, commands in, snapshots out.

use std::rc::Rc;

use js_sys::Function;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::command::{Refusal, UiCommand};
use super::driver::{Driver, now};
use super::fatal;
use super::snapshot::to_js;
use super::store::Store;
use crate::content::Content;
use crate::keystore::{KdfParams, Keystore, Kind};
use crate::node::{Command, ConnectionState, Error};
use crate::random::SystemRng;
use crate::wire::{PeerId, SessionId};

/// Setting: the server and name last used, as JSON, and whether to connect again after unlocking.
const CONNECTION: &str = "connection";

/// What is remembered of the connection.
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
    /// The browser keeps no data here.
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
        Ok(run(&driver, UiCommand::parse(command)?).await?)
    }
}

async fn remembered(store: &Store) -> Option<Remembered> {
    serde_json::from_str(&store.setting(CONNECTION).await.ok()??).ok()
}

async fn run(driver: &Rc<Driver>, command: UiCommand) -> Result<JsValue, Refusal> {
    match command {
        UiCommand::SetPassword { password } => {
            let keystore = Keystore::create(&password, KdfParams::default(), &mut SystemRng)?;
            let envelope = keystore.envelope(&mut SystemRng)?;
            driver.store.create(Kind::Keystore, &envelope).await.map_err(Refusal::storage)?;
            driver.unlocked(keystore).await?;
        }
        UiCommand::Unlock { password } => {
            let envelope = driver.store.only(Kind::Keystore).await.map_err(Refusal::storage)?;
            let envelope =
                envelope.ok_or_else(|| Refusal::new("locked", "no password has been set yet"))?;
            let keystore = Keystore::unlock(&envelope, &password)?;
            keystore.open(Kind::Keystore, &envelope)?;
            driver.unlocked(keystore).await?;
            if let Some(last) = remembered(&driver.store).await.filter(|last| last.connect) {
                connect(driver, last.server_url, &last.peer_id)?;
            }
        }
        UiCommand::Lock => driver.lock(),
        UiCommand::Connect { server_url, peer_id } => {
            connect(driver, server_url.clone(), &peer_id)?;
            remember(driver, server_url, peer_id, true).await?;
        }
        UiCommand::Disconnect => {
            driver.command(Command::Disconnect)?;
            if let Some((server_url, peer_id)) = driver.remembered() {
                remember(driver, server_url, peer_id, false).await?;
            }
        }
        UiCommand::Propose { session_id, participants, threshold, suite, allow_unverified } => {
            let participants: Result<Vec<PeerId>, _> =
                participants.iter().map(|id| id.trim().parse()).collect();
            let participants = participants.map_err(|e| Refusal::new("bad_proposal", e))?;
            let session_id = match session_id.filter(|id| !id.is_empty()) {
                Some(id) => session(&id)?,
                None => SessionId::random(&mut SystemRng),
            };
            let id = session_id.clone();
            driver.command(Command::Propose {
                session_id,
                participants,
                threshold,
                suite,
                allow_unverified,
            })?;
            #[derive(serde::Serialize)]
            struct Proposed {
                session_id: SessionId,
            }
            return Ok(to_js(&Proposed { session_id: id }));
        }
        UiCommand::JoinInvite { invite, peer_id } => {
            // Else it would leave its server, and the sessions there, for nothing.
            if invite.has_expired(now().millis()) {
                return Err(Error::Invite("the invite has expired: ask for a new one").into());
            }
            let here = driver.view().connection;
            let (server_url, known) =
                (invite.server_url.clone(), here.peer_id.map(|id| id.as_str().to_owned()));
            let stays = here.state != ConnectionState::Offline
                && here.server_url.as_ref() == Some(&server_url);
            if !stays || peer_id.as_ref().is_some_and(|id| known.as_ref() != Some(id)) {
                let peer_id = peer_id.or(known).unwrap_or_else(random_name);
                connect(driver, server_url.clone(), &peer_id)?;
                remember(driver, server_url, peer_id, true).await?;
            }
            driver.command(Command::JoinInvite(invite))?;
        }
        UiCommand::Request { pubkey, kind, content, lifetime } => {
            let key = driver.group_key(&pubkey);
            let content = Content::read(&kind, &content, key.as_ref())
                .map_err(|e| Refusal::new("bad_request", e))?;
            driver.command(Command::Request { pubkey, content, lifetime })?;
        }
        UiCommand::Node(command) => driver.command(command)?,
    }
    Ok(JsValue::NULL)
}

fn session(id: &str) -> Result<SessionId, Refusal> {
    id.parse().map_err(|e| Refusal::new("no_such_session", e))
}

/// A name for a person who has not given one.
fn random_name() -> String {
    let random = SessionId::random(&mut SystemRng);
    format!("node-{}", random.as_str().get(..8).unwrap_or_default())
}

fn connect(driver: &Rc<Driver>, server_url: String, peer_id: &str) -> Result<(), Refusal> {
    let rest = server_url.strip_prefix("ws://").or_else(|| server_url.strip_prefix("wss://"));
    if rest.is_none_or(str::is_empty) {
        let text = format!("{server_url} is no signaling server: use ws://HOST:PORT or wss://HOST");
        return Err(Refusal::new("bad_server_url", text));
    }
    let peer_id = peer_id.parse().map_err(|e| Refusal::new("bad_peer_id", e))?;
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
    let value = value.map_err(|e| Refusal::new("internal", e))?;
    driver.store.set_setting(CONNECTION, &value).await.map_err(Refusal::storage)
}
